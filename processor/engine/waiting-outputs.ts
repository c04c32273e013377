import { valueLength } from "../runtime/json-output.ts";
import type { OutputRecord } from "../runtime/machine.ts";

/** Bytes that an output counts besides key, value and headers. */
const OUTPUT_OVERHEAD = 100;

/** Bytes of the outputs that wait in all tasks of a process. */
export interface ProcessOutputs {
  bytes: number;
}

/** Bounds of `WaitingOutputs`. */
interface WaitingLimits {
  readonly maxUnsentOutputs: number;
  readonly maxUnsentBytes: number;
  readonly maxProcessUnsentBytes: number;
}

/**
 * The outputs of a task from their step until they are sent or committed. Counts and weighs them, in the task and in
 * the process.
 */
export class WaitingOutputs {
  readonly #limits: WaitingLimits;
  readonly #process: ProcessOutputs;
  #outputs: OutputRecord[] = [];
  /** Bytes of `#outputs`, and of all outputs: those under way included. */
  #waitingBytes = 0;
  #count = 0;
  #bytes = 0;

  constructor(limits: WaitingLimits, process: ProcessOutputs) {
    this.#limits = limits;
    this.#process = process;
  }

  /** Outputs that are not sent yet, those under way included. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there is something to `take`. */
  get isEmpty(): boolean {
    return this.#outputs.length === 0;
  }

  /** Whether the task may read no more until some of its outputs are sent. */
  get isFull(): boolean {
    const { maxUnsentOutputs, maxUnsentBytes, maxProcessUnsentBytes } = this.#limits;
    if (this.#count === 0) return false;
    return (
      this.#count > maxUnsentOutputs || this.#bytes > maxUnsentBytes || this.#process.bytes > maxProcessUnsentBytes
    );
  }

  add(outputs: readonly OutputRecord[]): void {
    let bytes = 0;
    // Neighbours often share their headers.
    let headers: OutputRecord["headers"] | null = null;
    let headerBytes = 0;
    if (this.#outputs.length === 0) this.#outputs = outputs.slice();
    else for (const output of outputs) this.#outputs.push(output);
    for (const output of outputs) {
      if (output.headers !== headers) headerBytes = bytesOf((headers = output.headers));
      bytes += OUTPUT_OVERHEAD + (output.key?.length ?? 0) + valueLength(output) + headerBytes;
    }
    this.#waitingBytes += bytes;
    this.#grow(outputs.length, bytes);
  }

  /** All that can be sent now. `sent` takes them off the account. */
  take(): { readonly outputs: readonly OutputRecord[]; readonly sent: () => void } {
    const outputs = this.#outputs;
    const bytes = this.#waitingBytes;
    this.#outputs = [];
    this.#waitingBytes = 0;
    return { outputs, sent: () => this.#grow(-outputs.length, -bytes) };
  }

  /** Takes everything off the account when a life ends. Nothing may be added or sent afterwards. */
  close(): void {
    this.#grow(-this.#count, -this.#bytes);
  }

  #grow(count: number, bytes: number): void {
    this.#count += count;
    this.#bytes += bytes;
    this.#process.bytes += bytes;
  }
}

function bytesOf(headers: OutputRecord["headers"]): number {
  let bytes = 0;
  for (const name in headers) bytes += name.length + headers[name]!.length;
  return bytes;
}
