import { MillraceError } from "../../domain/errors.ts";
import type { RestoredEntries, StateMachine } from "../runtime/machine.ts";
import { needsRecovery } from "./needs-recovery.ts";
import type { EngineObserver, Manifest, Progress, Runtime, SegmentGroup, SnapshotStore } from "./ports.ts";
import { entriesOf, EntryCollector, readSegments, SNAPSHOT_LAYOUT } from "./segments.ts";

/** Most generations of a snapshot. Above it the oldest is written again, so that the manifest stays small. */
const MAX_GENERATIONS = 60;
/** Attempts at claiming a manifest that others write at the same time. */
const CLAIM_ATTEMPTS = 8;
/** Segments that are read, written or deleted at the same time. */
const CONCURRENT_ITEMS = 4;
/** First and longest wait before a snapshot is written again. It doubles. */
const RETRY_MS = { first: 200, most: 10_000 } as const;

/**
 * A snapshot that was read before its manifest was claimed. It counts only if the claim then finds the same manifest:
 * whoever drops a segment writes another manifest first.
 */
export interface ReadAhead {
  readonly manifest: Manifest;
  /** Of each generation that the manifest names; null when it could not be read. */
  readonly chunks: Promise<Buffer[][] | null>;
}

/** One generation: the changed items, encoded as they were at a transaction's last record. */
export interface Captured {
  readonly generation: number;
  readonly collector: EntryCollector;
  /** Generations that hold an item's newest encoding, this one included. */
  readonly live: ReadonlySet<number>;
  /** Whether it was given up: its manifest would lack what was captured before it and given up, too. */
  readonly isGivenUp: () => boolean;
}

/**
 * Steps 3 and 6 for one life of a task: the manifest that this owner has claimed, and the snapshots that it writes
 * under it. A snapshot that can't be written stays in memory and is tried again. Meanwhile no other one is captured.
 */
export class Snapshots {
  readonly #store: SnapshotStore;
  readonly #task: string;
  readonly #runtime: Runtime;
  readonly #observer: EngineObserver;
  /** Token under which this one writes. */
  readonly #owner: string;
  #manifest: Manifest;
  /** What was read before the manifest was claimed, until it is loaded. It may be of another manifest. */
  #ahead: ReadAhead | null;
  #generation: number;
  #writing: Promise<void> = Promise.resolve();
  /** Snapshots that are captured but not written. */
  #pending = 0;
  /** Grows when pending snapshots are given up: what was captured before it is not written any more. */
  #epoch = 0;

  private constructor(
    store: SnapshotStore,
    task: string,
    runtime: Runtime,
    observer: EngineObserver,
    manifest: Manifest,
    owner = manifest.owner,
    ahead: ReadAhead | null = null,
  ) {
    this.#store = store;
    this.#task = task;
    this.#runtime = runtime;
    this.#observer = observer;
    this.#owner = owner;
    this.#manifest = manifest;
    this.#ahead = ahead;
    this.#generation = manifest.segments.at(-1)?.generation ?? 0;
  }

  /**
   * Reads the newest manifest, and begins to read the segments that it names. Needs no ownership, so it runs beside
   * steps 1 and 2.
   *
   * @returns Null when there is no manifest, or when it could not be read. Never rejects: `claim` then reads itself.
   */
  static async readAhead(
    store: SnapshotStore,
    task: string,
    runtime: Pick<Runtime, "decompress">,
  ): Promise<ReadAhead | null> {
    const manifest = await store.readManifest(task).catch(() => null);
    return manifest && { manifest, chunks: loadChunks(store, task, runtime, manifest.segments).catch(() => null) };
  }

  /**
   * Step 3, claim: writes the newest manifest back with a new owner token. From then on no older owner can write one.
   *
   * @param ahead What `readAhead` has given.
   * @throws Error when others write the manifest at the same time, again and again; what the store throws
   */
  static async claim(
    store: SnapshotStore,
    task: string,
    runtime: Runtime,
    observer: EngineObserver,
    ahead: ReadAhead | null = null,
  ): Promise<Snapshots> {
    const owner = runtime.token();
    for (let attempt = 0; attempt < CLAIM_ATTEMPTS; attempt++) {
      const found = (attempt === 0 && ahead?.manifest) || (await store.readManifest(task));
      // An earlier attempt was written although its answer said otherwise.
      if (found?.owner === owner) return new Snapshots(store, task, runtime, observer, found);
      const next: Manifest = found
        ? { ...found, owner, version: found.version + 1 }
        : { owner, version: 1, layout: SNAPSHOT_LAYOUT, covers: null, segments: [] };
      if (await store.writeManifest(task, next, found))
        return new Snapshots(store, task, runtime, observer, next, owner, ahead);
    }
    throw new Error(`${task}: others wrote the manifest between reading and claiming it ${CLAIM_ATTEMPTS} times`);
  }

  /** A manifest that is not claimed: to load what it names. The first snapshot that is written claims it. */
  static of(
    store: SnapshotStore,
    task: string,
    runtime: Runtime,
    observer: EngineObserver,
    manifest: Manifest,
  ): Snapshots {
    return new Snapshots(store, task, runtime, observer, manifest, runtime.token());
  }

  get manifest(): Manifest {
    return this.#manifest;
  }

  /** Whether every captured snapshot is written. */
  get idle(): boolean {
    return this.#pending === 0;
  }

  /**
   * Step 3, restore: all entries, oldest generation first.
   *
   * @throws MillraceError `snapshot-corrupt`; what the store throws
   */
  async load(): Promise<RestoredEntries> {
    const groups = this.#manifest.segments;
    const ahead = this.#ahead?.manifest.segments === groups ? await this.#ahead.chunks : null;
    this.#ahead = null; // loaded again, it is read again: kept until then, it would take memory for nothing
    const chunks = ahead ?? (await loadChunks(this.#store, this.#task, this.#runtime, groups));
    return {
      *[Symbol.iterator]() {
        for (const [i, { generation }] of groups.entries())
          for (const { key, value } of entriesOf(chunks[i]!)) yield { generation, key, value };
      },
    };
  }

  /**
   * Step 6, first half: encodes what changed. Called directly after the machine's `settle`, at a transaction's last
   * record. Does not block.
   */
  capture(machine: StateMachine): Captured {
    const generations = machine.liveGenerations();
    if (generations.length >= MAX_GENERATIONS) machine.rewriteUpTo(generations[generations.length - MAX_GENERATIONS]!);
    const collector = new EntryCollector();
    const generation = ++this.#generation;
    machine.encodeChanges(generation, collector.take);
    const epoch = this.#epoch;
    const isGivenUp = (): boolean => epoch !== this.#epoch;
    return { generation, collector, live: new Set(machine.liveGenerations()), isGivenUp };
  }

  /**
   * Step 6, second half: writes the segments, then the manifest. Called when the transaction that reached `covers` is
   * known to be committed. Tries again until it works, or it is given up, or another has claimed the manifest.
   *
   * @returns A promise that need not be awaited. It rejects with `outcome-unknown` when another has claimed the
   *   manifest.
   */
  write(captured: Captured, covers: Progress): Promise<void> {
    if (captured.isGivenUp()) return Promise.resolve();
    this.#pending++;
    this.#writing = this.#writing.then(async () => {
      try {
        await this.#writeUntilDone(captured, covers);
      } finally {
        if (!captured.isGivenUp()) this.#pending--;
      }
    });
    return this.#writing;
  }

  /** Replaces the snapshot by one generation that holds the machine's whole state. As `write`. */
  replace(machine: StateMachine, covers: Progress): Promise<void> {
    machine.rewriteUpTo(this.#generation);
    return this.write(this.capture(machine), covers);
  }

  /** Replaces the snapshot by none. @throws MillraceError `outcome-unknown` when another has claimed the manifest */
  async forget(): Promise<void> {
    const before = this.#manifest;
    const next: Manifest = {
      ...before,
      version: before.version + 1,
      layout: SNAPSHOT_LAYOUT,
      covers: null,
      segments: [],
    };
    if (!(await this.#store.writeManifest(this.#task, next, before)))
      throw new MillraceError("outcome-unknown", `${this.#task}: another owner has claimed the snapshot manifest`);
    this.#manifest = next;
    this.#deleteDropped(before.segments);
  }

  /** Resolves when every snapshot given to `write` is written, or given up. Rejects as `write` does. */
  flushed(): Promise<void> {
    return this.#writing;
  }

  /**
   * Gives up what was captured and is not written yet, also when its `write` comes later. Does not block. A manifest
   * whose write is under way may still be stored: the next one then fails on its condition, with `outcome-unknown`.
   */
  giveUp(): void {
    this.#epoch++;
    this.#pending = 0;
    this.#writing = Promise.resolve();
  }

  async #writeUntilDone(captured: Captured, covers: Progress): Promise<void> {
    const started = this.#runtime.now();
    let segments: Uint8Array[] | null = null;
    for (let wait: number = RETRY_MS.first; !captured.isGivenUp(); wait = Math.min(wait * 2, RETRY_MS.most)) {
      try {
        segments ??= await captured.collector.segments(this.#runtime);
        if (!(await this.#writeOnce(captured, covers, segments))) return;
        this.#observer.snapshotWritten(this.#task, {
          bytes: this.#manifest.segments.reduce((sum, group) => sum + group.bytes, 0),
          milliseconds: this.#runtime.now() - started,
        });
        return;
      } catch (error) {
        if (captured.isGivenUp()) return;
        if (error instanceof MillraceError) throw error;
        this.#observer.snapshotFailed?.(this.#task);
        this.#observer.log(
          "warn",
          { task: this.#task, generation: captured.generation, err: error },
          "a snapshot could not be written; trying again",
        );
        await this.#runtime.sleep(wait);
      }
    }
  }

  /** @returns Whether it was written: not when it was given up meanwhile. */
  async #writeOnce(captured: Captured, covers: Progress, segments: readonly Uint8Array[]): Promise<boolean> {
    const before = this.#manifest;
    await concurrently(segments.length, (part) =>
      this.#store.putSegment(
        this.#task,
        { owner: this.#owner, generation: captured.generation, part },
        segments[part]!,
      ),
    );
    const group: SegmentGroup = {
      generation: captured.generation,
      owner: this.#owner,
      parts: segments.length,
      bytes: segments.reduce((sum, segment) => sum + segment.length, 0),
    };
    const kept = before.segments.filter((segment) => captured.live.has(segment.generation));
    const { nextOffset, origin, fingerprint, chain } = covers;
    const next: Manifest = {
      version: before.version + 1,
      owner: this.#owner,
      layout: SNAPSHOT_LAYOUT,
      covers: { nextOffset, origin, fingerprint, chain },
      segments: group.parts > 0 ? [...kept, group] : kept,
    };
    const written = captured.isGivenUp() ? null : await this.#writeManifest(next, before);
    if (!written || captured.isGivenUp()) return false;
    this.#manifest = written;
    this.#deleteDropped(before.segments.filter((segment) => !captured.live.has(segment.generation)));
    return true;
  }

  /**
   * Writes the manifest, also over one of this owner that was given up while its write was under way.
   *
   * @returns It as it is stored.
   * @throws MillraceError `outcome-unknown` when another owner has claimed it
   */
  async #writeManifest(next: Manifest, before: Manifest): Promise<Manifest> {
    if (await this.#store.writeManifest(this.#task, next, before)) return next;
    const stored = await this.#store.readManifest(this.#task);
    if (stored?.owner === next.owner) {
      // An earlier answer was lost: this one is stored although the store said that its condition failed.
      if (stored.segments.at(-1)?.generation === next.segments.at(-1)?.generation && stored.version === next.version)
        return next;
      const over = { ...next, version: stored.version + 1 };
      if (await this.#store.writeManifest(this.#task, over, stored)) return over;
    }
    throw new MillraceError(
      "outcome-unknown",
      `${this.#task}: another owner has claimed the snapshot manifest, so this one may have been fenced`,
    );
  }

  /** Only the writer whose manifest dropped a segment deletes it. What fails here is left to the table's TTL. */
  #deleteDropped(groups: readonly SegmentGroup[]): void {
    for (const group of groups) {
      concurrently(group.parts, (part) =>
        this.#store.deleteSegment(this.#task, { owner: group.owner, generation: group.generation, part }),
      ).catch((error: unknown) => {
        this.#observer.log(
          "debug",
          { task: this.#task, generation: group.generation, err: error },
          "a dropped segment could not be deleted",
        );
      });
    }
  }
}

/**
 * The chunks of each generation.
 *
 * @throws MillraceError `snapshot-corrupt`; what the store throws
 */
function loadChunks(
  store: SnapshotStore,
  task: string,
  runtime: Pick<Runtime, "decompress">,
  groups: readonly SegmentGroup[],
): Promise<Buffer[][]> {
  return concurrently(groups.length, async (i) => {
    const { generation, owner, parts } = groups[i]!;
    const segments = await concurrently(parts, async (part) => {
      const bytes = await store.getSegment(task, { owner, generation, part });
      if (bytes) return bytes;
      const problem = `segment ${part} of generation ${generation} is missing or does not match its checksum`;
      throw needsRecovery("snapshot-corrupt", task, problem);
    });
    return readSegments(task, segments, runtime);
  });
}

/** Calls `work` for 0 to count - 1, `CONCURRENT_ITEMS` at a time. Gives the results in order. */
async function concurrently<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const oneAfterAnother = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) results[index] = await work(index);
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENT_ITEMS, count) }, oneAfterAnother));
  return results;
}
