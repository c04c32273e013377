import type { PipelineName } from "../../../domain/pipelines.ts";
import type { InputRecord } from "../../runtime/machine.ts";
import { isSame, subjectOf, type Identity } from "./subject.ts";

/** The record before or the record after a number that did not arrive. */
export interface Neighbour<R> {
  readonly seq: number;
  readonly record: R;
}

/** Finds the arrivals of a message among records, and the nearest other messages of its boot. */
export class Arrivals<R extends Pick<InputRecord, "key" | "value" | "headers">> {
  readonly #pipeline: PipelineName;
  readonly #identity: Identity;
  readonly #key: Buffer;
  /** In the order in which they were taken. */
  readonly records: R[] = [];
  before: Neighbour<R> | null = null;
  after: Neighbour<R> | null = null;

  constructor(pipeline: PipelineName, identity: Identity & { readonly key: string }) {
    this.#pipeline = pipeline;
    this.#identity = identity;
    this.#key = Buffer.from(identity.key);
  }

  take(record: R): void {
    if (record.key === null || !this.#key.equals(record.key)) return;
    const { seq, boot } = this.#identity;
    const { identity: other } = subjectOf(this.#pipeline, record);
    // A command line that names no boot means any.
    if (isSame(boot === null ? { ...other, boot: null } : other, this.#identity)) this.records.push(record);
    else if (other.seq !== null && seq !== null && (boot ?? other.boot) === other.boot) {
      if (other.seq < seq && other.seq > (this.before?.seq ?? -1)) this.before = { seq: other.seq, record };
      if (other.seq > seq && other.seq < (this.after?.seq ?? Infinity)) this.after = { seq: other.seq, record };
    }
  }
}
