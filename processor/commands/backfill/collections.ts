import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "kafkajs";
import type { Db, UpdateFilter } from "mongodb";
import { partitionBounds } from "../../../adapters/kafka-cluster.ts";
import { committedRecords, offsetsBetween, partitionsOf } from "../../../adapters/read-partition.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { collections, collectionsOfRun } from "../../../domain/names.ts";
import { inferenceRecord, sessionRecord, windowRecord } from "../../../domain/records.ts";
import { MINUTE, type EpochMs, type Milliseconds } from "../../../domain/time.ts";
import { topics } from "../../../domain/topics.ts";
import { createIndexes } from "../../../lambda/shared/documents.ts";
import type { WithDatabase } from "../../../lambda/shared/mongo.ts";
import {
  isWithin,
  MAX_RUNS,
  readRuns,
  RUNS,
  RUNS_AGE_MS,
  storeOfRun,
  type Differences,
  type RunEntry,
  type RunsDocument,
  type Store,
} from "../../../lambda/shared/runs.ts";
import type { StampedSession } from "../../../lambda/store-sessions/session-updates.ts";
import { storeSessions } from "../../../lambda/store-sessions/store.ts";
import type { StampedInference } from "../../../lambda/store-windows/inference-updates.ts";
import { storeInferences, storeWindows } from "../../../lambda/store-windows/store.ts";
import type { StampedWindow } from "../../../lambda/store-windows/window-updates.ts";

/** Records that are written at once. */
const BATCH = 500;
/** How much earlier than its input an output may be by its own timestamp: two machines' clocks. */
const CLOCKS: Milliseconds = MINUTE;
/** Until every function knows of a change to the runs, with time for what it is about to read. */
const KNOWN_AFTER_MS: Milliseconds = RUNS_AGE_MS + 1_000;
/** Until what the functions write with an older knowledge is written. */
const WRITTEN_AFTER_MS: Milliseconds = 2 * RUNS_AGE_MS;

/** How long the store keeps what it is given. */
export interface Keep {
  readonly windowsMs: Milliseconds;
  readonly sessionsMs: Milliseconds;
}

/** Up to where a run computed a partition: its last record's offset and time. */
export interface Reached {
  readonly last: number;
  readonly lastAt: EpochMs;
}

/** The collections of one run: fills them as the functions fill the live ones. */
export class RunCollections {
  readonly #withDatabase: WithDatabase;
  readonly #run: string;
  readonly #keep: Keep;
  readonly #now: EpochMs;
  #windows: StampedWindow[] = [];
  #inferences: StampedInference[] = [];
  #sessions: StampedSession[] = [];

  constructor(withDatabase: WithDatabase, run: string, keep: Keep, now: EpochMs) {
    this.#withDatabase = withDatabase;
    this.#run = run;
    this.#keep = keep;
    this.#now = now;
  }

  /**
   * Makes the collections, empty.
   *
   * @param again Whether those of a run of this name are replaced.
   * @throws MillraceError `backfill-refused` when readers see them, when there are some, or when there are too many
   */
  async begin(entry: RunEntry, again: boolean): Promise<void> {
    await this.#withDatabase(async (db) => {
      const { read, runs = {} } = await readRuns(db);
      const isThere = Object.hasOwn(runs, this.#run);
      if (read === this.#run) throw refused(isRead(this.#run));
      if (isThere && !again)
        throw refused(`the store has collections of ${this.#run}: give another --run, or --again to replace them`);
      if (!isThere && Object.keys(runs).length >= MAX_RUNS)
        throw refused(`the store has collections of ${MAX_RUNS} runs: drop one with \`backfill -- drop --run NAME\``);
      if (isThere) await this.#leave(db);
      await dropCollections(db, this.#run);
      await createIndexes(storeOfRun(db, this.#run));
      await change(db, { $set: { [`runs.${this.#run}`]: entry } });
    });
  }

  /**
   * Takes an output that goes to the collections, in any order and any number of times. What has expired is left out.
   *
   * @param timestamp Of its record: the documents expire some time after it.
   * @param isWanted Whether the output with an id is taken.
   */
  async add(
    { topic, value }: { readonly topic: string; readonly value: Uint8Array | null },
    timestamp: EpochMs,
    isWanted: (id: string) => boolean,
  ): Promise<void> {
    if (value === null || !topicsOfRuns.has(topic)) return;
    const json: unknown = JSON.parse(Buffer.from(value).toString("utf8"));
    if (topic === topics.aggregated.name) {
      const window = windowRecord.parse(json);
      if (timestamp + this.#keep.windowsMs > this.#now && isWanted(window.id))
        this.#windows.push({ window, timestamp });
    } else if (topic === topics.inference.name) {
      const inference = inferenceRecord.parse(json);
      if (timestamp + this.#keep.windowsMs > this.#now && isWanted(inference.id))
        this.#inferences.push({ inference, timestamp });
    } else {
      const session = sessionRecord.parse(json);
      if (timestamp + this.#keep.sessionsMs > this.#now && isWanted(session.id))
        this.#sessions.push({ session, timestamp });
    }
    if (this.#windows.length + this.#inferences.length + this.#sessions.length >= BATCH) await this.flush();
  }

  /** Writes what was taken. */
  async flush(): Promise<void> {
    const [windows, inferences, sessions] = [this.#windows, this.#inferences, this.#sessions];
    [this.#windows, this.#inferences, this.#sessions] = [[], [], []];
    const kept = { windowsMs: this.#keep.windowsMs, sensorsMs: this.#keep.sessionsMs };
    await this.#withStore(async (store) => {
      await storeWindows(store, windows, kept);
      await storeInferences(store, inferences, kept);
      await storeSessions(store, sessions, this.#keep.sessionsMs);
    });
  }

  /**
   * Lets the functions write live records behind the run's to the collections, too, from now on; and takes from Kafka
   * what they took before that.
   *
   * @throws MillraceError `backfill-refused` when Kafka may have deleted some of it
   */
  async follow(cluster: Cluster, log: string, reached: ReadonlyMap<number, Reached>): Promise<number> {
    const last = Object.fromEntries([...reached].map(([partition, one]) => [String(partition), one.last]));
    await this.#withDatabase((db) => change(db, { $set: { [`runs.${this.#run}.last`]: last } }));
    await sleep(KNOWN_AFTER_MS);
    let taken = 0;
    const isBehind = (id: string): boolean => {
      const isLive = !isWithin(id, log, last);
      if (isLive) taken++;
      return isLive;
    };
    for (const topic of topicsOfRuns)
      for (const partition of await partitionsOf(cluster, topic)) {
        const from = (reached.get(partition)?.lastAt ?? 0) - CLOCKS;
        const range = await offsetsBetween(cluster, topic, partition, { from, to: Infinity });
        const { earliest } = await partitionBounds(cluster, topic, partition);
        if (earliest > 0 && range.from === earliest)
          throw refused(
            `${topic}/${partition} may have lost outputs behind ${new Date(from + CLOCKS).toISOString()}, where the ` +
              "run ends: give a later --until, or a newer copy of the lake",
          );
        for await (const records of committedRecords(cluster, topic, partition, range))
          for (const record of records) await this.add({ topic, value: record.value }, record.timestamp, isBehind);
      }
    await this.flush();
    return taken;
  }

  /** Says that the collections are filled, and what the comparison counted: readers may be switched to them. */
  async complete(compared: Differences): Promise<void> {
    await this.#withDatabase((db) => change(db, { $set: { [`runs.${this.#run}.compared`]: compared } }));
  }

  async close(): Promise<void> {
    await this.#withDatabase((db) => db.client.close());
  }

  async #leave(db: Db): Promise<void> {
    await change(db, { $unset: { [`runs.${this.#run}`]: "" } });
    await sleep(WRITTEN_AFTER_MS);
  }

  #withStore(use: (store: Store) => Promise<void>): Promise<void> {
    return this.#withDatabase((db) => use(storeOfRun(db, this.#run)));
  }
}

/** The topics whose records have documents in a run's collections. */
const topicsOfRuns: ReadonlySet<string> = new Set([
  topics.aggregated.name,
  topics.inference.name,
  topics.sessions.name,
]);

/**
 * Lets readers see the collections of a run, or the live ones again (null).
 *
 * @throws MillraceError `backfill-refused` when they are not filled and compared
 */
export async function switchReaders(db: Db, run: string | null): Promise<RunEntry | null> {
  if (run === null) {
    await change(db, { $unset: { read: "" } });
    return null;
  }
  const { runs = {} } = await readRuns(db);
  const entry = runs[run];
  if (entry === undefined)
    throw refused(`the store has no collections of ${run}: give the run with --fill (and --again if it is there)`);
  const compared = `runs.${run}.compared`;
  const { matchedCount } = await db
    .collection<RunsDocument>(collections.runs)
    .updateOne({ _id: RUNS, [compared]: { $exists: true } }, { $set: { read: run } });
  if (matchedCount === 0)
    throw refused(
      `${run} is not filled and compared: it is under way, was interrupted, or nothing could be compared. ` +
        "When it has ended, give it again with --fill --again",
    );
  return entry;
}

/**
 * Takes the collections of a run out of the store. None is no error.
 *
 * @throws MillraceError `backfill-refused` when readers see them
 */
export async function dropRun(db: Db, run: string): Promise<void> {
  if ((await readRuns(db)).read === run) throw refused(isRead(run));
  await change(db, { $unset: { [`runs.${run}`]: "" } });
  await sleep(WRITTEN_AFTER_MS);
  await dropCollections(db, run);
}

async function dropCollections(db: Db, run: string): Promise<void> {
  const there = new Set((await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name));
  for (const name of collectionsOfRun(run)) if (there.has(name)) await db.collection(name).drop();
}

async function change(db: Db, update: { readonly $set?: object; readonly $unset?: object }): Promise<void> {
  const runs = db.collection<RunsDocument>(collections.runs);
  await runs.updateOne({ _id: RUNS }, update as UpdateFilter<RunsDocument>, { upsert: true });
}

function isRead(run: string): string {
  return `readers see ${run}: give \`backfill -- switch --run live\` first, or switch to another run`;
}

function refused(message: string): MillraceError {
  return new MillraceError("backfill-refused", message);
}
