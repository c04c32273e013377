import type { Manifest, SegmentKey, SnapshotStore } from "../../../../processor/engine/ports.ts";
import type { Kernel, SimulatedProcess } from "./kernel.ts";

/** The table behind simulated snapshot stores. */
export class SimulatedTable {
  readonly manifests = new Map<string, Manifest>();
  readonly segments = new Map<string, Uint8Array>();

  segmentKey(task: string, { owner, generation, part }: SegmentKey): string {
    return `${task}/${owner}/${generation}/${part}`;
  }
}

/** One process's view of the table. */
export class SimulatedSnapshots implements SnapshotStore {
  readonly #kernel: Kernel;
  readonly #process: SimulatedProcess;
  readonly #table: SimulatedTable;

  constructor(kernel: Kernel, process: SimulatedProcess, table: SimulatedTable) {
    this.#kernel = kernel;
    this.#process = process;
    this.#table = table;
  }

  readManifest(task: string): Promise<Manifest | null> {
    return this.#call("manifest:read", () => this.#table.manifests.get(task) ?? null);
  }

  writeManifest(task: string, next: Manifest, expected: Pick<Manifest, "version" | "owner"> | null): Promise<boolean> {
    return this.#call("manifest:write", () => {
      const stored = this.#table.manifests.get(task) ?? null;
      if (stored?.version !== expected?.version || stored?.owner !== expected?.owner) return false;
      this.#table.manifests.set(task, next);
      return true;
    });
  }

  putSegment(task: string, key: SegmentKey, bytes: Uint8Array): Promise<void> {
    return this.#call(
      "segment:put",
      () => void this.#table.segments.set(this.#table.segmentKey(task, key), bytes.slice()),
    );
  }

  getSegment(task: string, key: SegmentKey): Promise<Uint8Array | null> {
    return this.#call("segment:get", () => this.#table.segments.get(this.#table.segmentKey(task, key)) ?? null);
  }

  deleteSegment(task: string, key: SegmentKey): Promise<void> {
    return this.#call("segment:delete", () => void this.#table.segments.delete(this.#table.segmentKey(task, key)));
  }

  #call<T>(point: string, effect: () => T): Promise<T> {
    return this.#kernel.call(this.#process, point, effect);
  }
}
