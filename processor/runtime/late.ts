import type { LateRecord } from "../../domain/records.ts";
import type { TimeInterval } from "../../domain/time.ts";
import { MAX_ROWS, type Message } from "./message.ts";
import type { StepContext } from "./operator.ts";

/** The fields by which a message's identity is told in outputs, as JSON without braces. */
export function identityFields(idField: string, message: Pick<Message, "key" | "seq" | "boot">): string {
  return `"${idField}":"${message.key}","seq":${message.seq}${message.boot === null ? "" : `,"boot":${JSON.stringify(message.boot)}`}`;
}

/**
 * How readings that are too late are written: where to, which field names the key, and how many columns are the
 * device's own.
 */
export interface LateOutput {
  readonly topic: string;
  readonly idField: string;
  readonly width: number;
}

/** Writes rows [from, to) verbatim to the late topic, with the interval that they missed. */
export function emitLate(
  output: LateOutput,
  message: Message,
  operator: LateRecord["operator"],
  missed: TimeInterval,
  from: number,
  to: number,
  context: StepContext,
): void {
  context.figures.lateReadings += to - from;
  context.out.json(output.topic, message.key, (id) => {
    const times = message.t.subarray(from, to).join(",");
    const samples: string[] = [];
    for (let row = from; row < to; row++) {
      let sample = `[${message.columns[row]}`;
      for (let column = 1; column < output.width; column++) sample += `,${message.columns[column * MAX_ROWS + row]}`;
      samples.push(`${sample}]`);
    }
    return `{"id":"${id}","schema":1,${identityFields(output.idField, message)},"operator":"${operator}","window":{"start":${missed.start},"end":${missed.end}},"t":[${times}],"samples":[${samples.join(",")}]}`;
  });
}
