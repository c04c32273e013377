import type { EpochMs } from "../../domain/time.ts";

/** One record of an input partition, as the log has it. */
export interface InputRecord {
  readonly partition: number;
  readonly offset: number;
  /** The broker's timestamp. */
  readonly timestamp: EpochMs;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Header values as UTF-8 text, see `textHeaders`; empty when the record has none. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Holds the record, and others: the key is [keyFrom, keyTo) of it. It is null where `keyFrom` is -1, and the value
   * where `valueFrom` is. They save those who read many records a view of each key. @default there are `key` and
   * `value` alone
   */
  readonly memory?: Buffer;
  readonly keyFrom?: number;
  readonly keyTo?: number;
  readonly valueFrom?: number;
}

/** One record to be written, to the partition number of its input. */
export interface OutputRecord {
  readonly topic: string;
  readonly key: Uint8Array | string | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** One item of a task's state: a key that is unique in the task, and its encoded value. */
export interface StateEntry {
  readonly key: string;
  readonly value: Uint8Array;
}

/** Chain of a machine that has given no output. */
export const EMPTY_CHAIN = "0-00000000";

/**
 * What a task runs: a deterministic state machine over one input partition. State and outputs depend on the records
 * alone, never on how they are cut into batches.
 *
 * Called by the engine, by `replay` and by the test driver, never concurrently: `step` for each record in offset order;
 * `settle` whenever outputs are wanted; `encodeChanges` and `flush` only directly after `settle`.
 */
export interface StateMachine {
  /** Offset of the record that comes next. Records below it are refused. */
  readonly nextOffset: number;
  /** Checksum over ids and contents of all outputs so far, without what comes from scores. */
  readonly chain: string;

  /** Whether the last step changes what the next one needs: `settle` must come before it. */
  readonly mustSettle: boolean;

  /**
   * Applies one record. Must not block.
   *
   * @throws StepFailed when our own code threw: the machine is then unusable. The caller builds a new one with this
   *   failure among `failures`, and brings it to this offset: then the record is dead-lettered, or the key's state is
   *   dropped.
   * @throws MillraceError `control-unknown` for a control record that another version reads: this one can't go past it
   */
  step(record: InputRecord): void;

  /** Does the pipeline's asynchronous work and gives the outputs of all steps since the last call, in order. */
  settle(): Promise<readonly OutputRecord[]>;

  /** Ends time: releases what waits and fires what is open, with `cause: end-of-input`. Only `replay` calls it. */
  flush(): void;

  /**
   * Encodes every item that has changed since the last call, and stamps it with `generation`, which must grow from call
   * to call.
   */
  encodeChanges(generation: number, take: (entry: StateEntry) => void): void;

  /** Generations that hold an item's newest encoding, ascending. All others need not be kept. */
  liveGenerations(): number[];

  /** Makes the items of generations up to `generation` count as changed, so that those generations can be dropped. */
  rewriteUpTo(generation: number): void;
}

/** Entries, oldest generation first: a later entry replaces an earlier one of its key. Iterated more than once. */
export type RestoredEntries = Iterable<{ readonly generation: number } & StateEntry>;

/** Where a machine starts. */
export interface MachineOrigin {
  readonly partition: number;
  /** Restored state; null for an empty one. */
  readonly restored: { readonly nextOffset: number; readonly chain: string; readonly entries: RestoredEntries } | null;
  /** What our own code threw on when it stepped the log before, by `failureId`. */
  readonly failures: Failures;
  /**
   * Fingerprint of the code and settings that the task ran under before settings stood in the log. State that knows no
   * settings takes them from it, once. @default the task is younger
   */
  readonly before?: string | undefined;
  /**
   * Hears of a control record whose asynchronous work refuses it: whoever steps the log again must give this failure
   * among `failures`. It may throw where that record was taken before.
   */
  readonly refused?: (failure: Failure) => void;
}

/** Our own code threw, on a record or when what a key had open fired in its step; or a model was refused. */
export interface Failure {
  /** Offset of the record. It becomes a dead letter, unless `key` is given. */
  readonly offset: number;
  /** The key whose state is dropped in that step; null where the record itself failed. */
  readonly key: string | null;
  readonly message: string;
}

/** A record with what is known of its step: where a replay is to fail, as the first run did. */
export interface KnownRecord extends InputRecord {
  readonly failed?: readonly Failure[];
}

/** Failures by their id. */
export type Failures = ReadonlyMap<string, Failure>;

/** A step fails at most once on its record and once on each key. */
export function failureId({ offset, key }: Pick<Failure, "offset" | "key">): string {
  return key === null ? `${offset}` : `${offset}/${key}`;
}

/** A pipeline as the engine sees it: where it reads, and a machine for each partition. */
export interface MachineFactory {
  readonly pipeline: string;
  readonly sourceTopic: string;
  /** The log in that topic, as ids, task names and transactional ids name it: with its generation. */
  readonly log: string;
  /** Fingerprint of the code. */
  readonly fingerprint: string;
  /** Version of Millrace, by which people know the code. */
  readonly version: string;
  /**
   * @throws MillraceError when what was restored can't be read, or needs a model that can't be loaded;
   *   `settings-unknown` for state from before settings stood in the log
   */
  create(origin: MachineOrigin): StateMachine | Promise<StateMachine>;
}

/** Steps records, settles, and gives all outputs in order. @throws StepFailed, see `StateMachine.step`. */
export async function stepAll(machine: StateMachine, records: Iterable<InputRecord>): Promise<readonly OutputRecord[]> {
  let before: OutputRecord[] = [];
  for (const record of records) {
    if (machine.mustSettle) before = [...before, ...(await machine.settle())];
    machine.step(record);
  }
  const last = await machine.settle();
  return before.length === 0 ? last : [...before, ...last];
}

/** Our own code threw in a step. */
export class StepFailed extends Error implements Failure {
  readonly offset: number;
  readonly key: string | null;
  /** Trace of the record that was stepped, see `traceIdOf`. */
  traceId: string | null = null;
  constructor(offset: number, cause: unknown, key: string | null = null) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = key === null ? "processing" : `the state of ${JSON.stringify(key)}`;
    super(`${what} failed at offset ${offset}: ${reason}`, { cause });
    this.name = "StepFailed";
    this.offset = offset;
    this.key = key;
  }
}
