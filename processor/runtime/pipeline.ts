import type { Semantics } from "../../domain/semantics.ts";
import type { Deduplication } from "./deduplication.ts";
import type { KeptState } from "./kept.ts";
import type { Message, Rejection } from "./message.ts";
import type { Operator } from "./operator.ts";

/** A pipeline: where it reads, and how to build what runs over one partition. */
export interface Pipeline<M extends Message = Message> {
  /** Its name in `domain/pipelines.ts`. */
  readonly name: string;
  /** Topic that it reads. */
  readonly source: string;
  /** Topic of its dead letters. */
  readonly deadLetter: string;
  /** Opens what runs over one partition. Operators hold buffers of their own, so each partition has its own. */
  open(): PartitionPipeline<M>;
}

/** What runs over one partition, whatever the settings. */
export interface PartitionPipeline<M extends Message = Message> {
  /**
   * Handlers of control records, by their type. Ticks need none, because each record moves the clock; `settings`
   * records are the machine's own.
   */
  readonly controls: Readonly<Record<string, ControlHandler>>;
  /** State that outlives keys and settings. */
  readonly kept: readonly KeptState[];
  /** Null for a pipeline that never waits for anything. */
  readonly asyncWork: AsyncWork | null;
  /** Builds what runs under these settings. */
  build(settings: Semantics): Topology<M>;
}

/** What runs over one partition under one set of settings, in the order of the path: decode, deduplicate, operators. */
export interface Topology<M extends Message = Message> {
  /** The one message that `decode` fills anew for each record. */
  readonly message: M;
  /** Reads a record's value into `message`, key and all fields. Gives null when it was taken, otherwise the reason. */
  decode(key: string, value: Uint8Array, headers: Readonly<Record<string, string>>, message: M): Rejection | null;
  /** Keys in a partition's state, and tombstones beside them, at most. */
  readonly maxKeys: number;
  readonly deduplication: Deduplication<unknown, M>;
  readonly operators: readonly Operator<unknown, M>[];
}

/**
 * Takes a control record by its headers, in its step; must not block. Gives null when it was taken, otherwise why not:
 * the record is then dead-lettered.
 */
export type ControlHandler = (headers: Readonly<Record<string, string>>) => Rejection | null;

/**
 * Work that a pipeline does between steps, because it has to wait for it: a model that scores, or that is loaded. The
 * partition's machine owns it, and calls one method at a time.
 */
export interface AsyncWork {
  /** Whether the next step needs what `settle` does: the machine then refuses it until `settle` was called. */
  readonly mustSettle: boolean;

  /**
   * Does what the steps since the last call have left. Called by `StateMachine.settle`; may wait. Gives why the control
   * record of the last step is refused, if it is: the record is then dead-lettered and changes nothing.
   */
  settle(): Promise<string | null>;

  /** What has to outlive a restart, as text. Called at a snapshot. */
  encode(): string;

  /**
   * Takes back what `encode` gave. Called at a restore, before any operator's state; may wait.
   *
   * @throws MillraceError when it can't be had again: the outputs would differ.
   */
  restore(text: string): Promise<void>;
}
