import type { Manifest, SegmentKey, SnapshotStore } from "../engine/ports.ts";

/**
 * A snapshot store that keeps the segments which this process has written or read, up to a bound: the longest unused
 * are let go. A task whose pipeline's code failed on a record can then build its state again while the table is away.
 */
export class KeptSegments implements SnapshotStore {
  readonly #store: SnapshotStore;
  readonly #maxBytes: number;
  /** By task and key, the longest unused first. */
  readonly #kept = new Map<string, Uint8Array>();
  #bytes = 0;

  constructor(store: SnapshotStore, maxBytes: number) {
    this.#store = store;
    this.#maxBytes = maxBytes;
  }

  readManifest(task: string): Promise<Manifest | null> {
    return this.#store.readManifest(task);
  }

  writeManifest(task: string, next: Manifest, expected: Pick<Manifest, "version" | "owner"> | null): Promise<boolean> {
    return this.#store.writeManifest(task, next, expected);
  }

  async putSegment(task: string, key: SegmentKey, bytes: Uint8Array): Promise<void> {
    await this.#store.putSegment(task, key, bytes);
    this.#keep(nameOf(task, key), bytes);
  }

  async getSegment(task: string, key: SegmentKey): Promise<Uint8Array | null> {
    const name = nameOf(task, key);
    const bytes = this.#kept.get(name) ?? (await this.#store.getSegment(task, key));
    if (bytes) this.#keep(name, bytes);
    return bytes;
  }

  deleteSegment(task: string, key: SegmentKey): Promise<void> {
    this.#drop(nameOf(task, key));
    return this.#store.deleteSegment(task, key);
  }

  #keep(name: string, bytes: Uint8Array): void {
    this.#drop(name);
    this.#kept.set(name, bytes);
    this.#bytes += bytes.length;
    while (this.#bytes > this.#maxBytes) this.#drop(this.#kept.keys().next().value!);
  }

  #drop(name: string): void {
    this.#bytes -= this.#kept.get(name)?.length ?? 0;
    this.#kept.delete(name);
  }
}

function nameOf(task: string, { owner, generation, part }: SegmentKey): string {
  return `${task}/${owner}/${generation}/${part}`;
}
