import type { Collection, Db, Document } from "mongodb";
import { collectionOfRun, collections, generationOf } from "../../domain/names.ts";
import { readRecordId } from "../../domain/records.ts";
import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import type { WithDatabase } from "./mongo.ts";

/** How old what a function knows of the runs may be. */
export const RUNS_AGE_MS: Milliseconds = 5_000;

/** Runs that have collections at once, at most: the functions write each live record to all of them. */
export const MAX_RUNS = 4;

/** Collections by the names of the live ones: these, or those of a run. */
export interface Store {
  collection<D extends Document>(name: string): Collection<D>;
}

/** The one document of `runs`: which runs of `backfill` have collections, and which of them is read. */
export interface RunsDocument {
  readonly _id: typeof RUNS;
  /** The run whose collections readers see; absent for the live ones. */
  readonly read?: string;
  /** The keys are the names of the runs. */
  readonly runs?: Readonly<Record<string, RunEntry>>;
}
export const RUNS = "runs";

/** A run with collections. */
export interface RunEntry {
  /** The log that it replayed. */
  readonly log: string;
  /** Version and fingerprint of its code and settings. */
  readonly version: string;
  readonly fingerprint: string;
  readonly begunAt: EpochMs;
  /**
   * Offset of the last record whose outputs the run computed, by partition; absent while it computes. What the live
   * processor gives for later records goes to the run's collections, too.
   */
  readonly last?: Readonly<Record<string, number>>;
  /** What was counted when its outputs were compared; absent while its collections are not filled. */
  readonly compared?: Differences;
}

/** Outputs of a run and of the live lake, by what the comparison says of them. */
export interface Differences {
  readonly same: number;
  readonly changed: number;
  readonly missing: number;
  readonly added: number;
}

/** The collections of a run. */
export function storeOfRun(db: Db, run: string): Store {
  return { collection: <D extends Document>(name: string) => db.collection<D>(collectionOfRun(name, run)) };
}

export async function readRuns(db: Db): Promise<RunsDocument> {
  return (await db.collection<RunsDocument>(collections.runs).findOne({ _id: RUNS })) ?? { _id: RUNS };
}

/** What reads the document of the runs at most every `RUNS_AGE_MS`. */
export function watchRuns(): (db: Db) => Promise<RunsDocument> {
  let known: { readonly at: EpochMs; readonly runs: RunsDocument } | undefined;
  return async (db) => {
    const at = Date.now();
    // A clock that was set back must not make it older.
    if (!known || Math.abs(at - known.at) >= RUNS_AGE_MS) known = { at, runs: await readRuns(db) };
    return known.runs;
  };
}

/** Lends the collections that readers are switched to. */
export function switchedStore(withDatabase: WithDatabase): <T>(use: (store: Store) => Promise<T>) => Promise<T> {
  const runsOf = watchRuns();
  return (use) =>
    withDatabase(async (db) => {
      const { read } = await runsOf(db);
      return use(read === undefined ? db : storeOfRun(db, read));
    });
}

/** Collections of a run that live records are written to, too. */
export interface Follower {
  readonly store: Store;
  /** Whether the live output with this id is behind what the run computed. */
  readonly isBehind: (id: string) => boolean;
}

/** The runs that live records are written to. */
export function followersOf(db: Db, { runs = {} }: RunsDocument): Follower[] {
  return Object.entries(runs).flatMap(([run, { log, last }]) =>
    last === undefined ? [] : [{ store: storeOfRun(db, run), isBehind: (id) => !isWithin(id, log, last) }],
  );
}

/** Whether an output is of a record that a run replayed: of `log` up to its last one, or of a generation before. */
export function isWithin(id: string, log: string, last: Readonly<Record<string, number>>): boolean {
  const read = readRecordId(id);
  if (read === null) return false;
  const at = read.source.lastIndexOf("/");
  const of = read.source.slice(0, at);
  if (of !== log) return generationOf(of) < generationOf(log);
  return read.position.offset <= (last[read.source.slice(at + 1)] ?? -1);
}
