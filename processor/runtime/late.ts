import type { LateRecord } from "../../domain/records.ts";
import type { TimeInterval } from "../../domain/time.ts";
import { MAX_ROWS, type Message } from "./message.ts";
import type { StepContext } from "./operator.ts";

/** How a pipeline writes readings that are too late. */
export interface LateOutput<M extends Message = Message> {
  readonly topic: string;
  /** How many columns are the source's own, as received. */
  readonly width: number;
  /** The fields of a record that say which message it is. */
  identify(message: M): object;
}

/** Writes rows [from, to) verbatim to the late topic, with the interval that they missed. */
export function emitLate<M extends Message>(
  output: LateOutput<M>,
  message: M,
  operator: LateRecord["operator"],
  missed: TimeInterval,
  from: number,
  to: number,
  context: StepContext,
): void {
  context.counters.add("processor.late-readings", to - from);
  const samples: number[][] = [];
  for (let row = from; row < to; row++) {
    const sample: number[] = [];
    for (let column = 0; column < output.width; column++) sample.push(message.columns[column * MAX_ROWS + row]!);
    samples.push(sample);
  }
  context.out.json(output.topic, message.key, {
    ...output.identify(message),
    operator,
    window: { start: missed.start, end: missed.end },
    t: Array.from(message.t.subarray(from, to)),
    samples,
  });
}
