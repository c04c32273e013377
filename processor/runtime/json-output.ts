import type { OutputRecord } from "./machine.ts";

/**
 * A record of ours whose value shares its memory with its neighbours. Those who handle many records read the bytes
 * [from, to) of `memory`: `value` makes a view of them, which costs more than to copy them.
 */
export class JsonOutput implements OutputRecord {
  readonly topic: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly memory: Buffer;
  readonly from: number;
  readonly to: number;

  constructor(
    topic: string,
    key: string,
    headers: Readonly<Record<string, string>>,
    memory: Buffer,
    from: number,
    to: number,
  ) {
    this.topic = topic;
    this.key = key;
    this.headers = headers;
    this.memory = memory;
    this.from = from;
    this.to = to;
  }

  get value(): Buffer {
    return this.memory.subarray(this.from, this.to);
  }
}

/** Bytes of a record's value; 0 for none. */
export function valueLength(output: OutputRecord): number {
  return output instanceof JsonOutput ? output.to - output.from : (output.value?.length ?? 0);
}
