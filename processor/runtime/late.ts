import type { TimeInterval } from "../../domain/time.ts";
import { MAX_ROWS, type Message } from "./message.ts";
import type { StepContext } from "./operator.ts";

/** How a pipeline writes what is too late. */
export interface LateOutput<M extends Message = Message> {
  readonly topic: string;
  /** The first fields of a record: which message it is. */
  identify(message: M): object;
  /** Its last fields: rows [from, to) as received. */
  verbatim(message: M, from: number, to: number): object;
}

/** Writes rows [from, to) to the late topic, with the operator and the interval that they missed. */
export function emitLate<M extends Message>(
  output: LateOutput<M>,
  message: M,
  operator: string,
  missed: TimeInterval,
  from: number,
  to: number,
  context: StepContext,
): void {
  context.counters.add(`processor.late-readings{operator="${operator}"}`, to - from);
  context.out.json(output.topic, message.key, {
    ...output.identify(message),
    operator,
    window: { start: missed.start, end: missed.end },
    ...output.verbatim(message, from, to),
  });
}

/** Rows [from, to) of the first `width` columns, with their times. */
export function rowsOf(
  message: Message,
  width: number,
  from: number,
  to: number,
): { t: number[]; samples: number[][] } {
  const samples: number[][] = [];
  for (let row = from; row < to; row++) {
    const sample: number[] = [];
    for (let column = 0; column < width; column++) sample.push(message.columns[column * MAX_ROWS + row]!);
    samples.push(sample);
  }
  return { t: Array.from(message.t.subarray(from, to)), samples };
}
