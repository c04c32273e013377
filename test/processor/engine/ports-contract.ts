import { describe, expect, test } from "@jest/globals";
import type { Manifest, Progress, TaskPorts } from "../../../processor/engine/ports.ts";
import type { OutputRecord } from "../../../processor/runtime/machine.ts";

/** One partition of a source and what a task does with it, real or simulated. */
export interface PortsWorld {
  /** Ports of another owner of the same task. */
  open(): TaskPorts;
  append(values: readonly string[]): Promise<void>;
  /** Values that a read-committed reader of the output topic sees. */
  committed(): Promise<string[]>;
  /** Waits for a promise. A simulated world runs meanwhile. */
  until<T>(promise: Promise<T>): Promise<T>;
  readonly outputTopic: string;
  readonly task: string;
}

const progress = (nextOffset: number): Progress => ({
  nextOffset,
  origin: 0,
  fingerprint: "f",
  chain: `c${nextOffset}`,
  failed: [],
});

/** What the engine relies on in every implementation of its ports. */
export function portsContract(name: string, create: () => Promise<PortsWorld>): void {
  const output = (world: PortsWorld, value: string): OutputRecord => ({
    topic: world.outputTopic,
    key: "k",
    value: Buffer.from(value),
    headers: {},
  });

  describe(`ports, ${name}`, () => {
    test("a task without progress has none", async () => {
      const world = await create();
      const { output: out } = world.open();
      await world.until(out.fence());
      expect(await world.until(out.claim("t1"))).toBeNull();
    });

    test("outputs and progress are committed together, and the next owner finds the progress", async () => {
      const world = await create();
      const first = world.open().output;
      await world.until(first.fence());
      await world.until(first.claim("t1"));
      await world.until(first.send([output(world, "a"), output(world, "b")]));
      expect(await world.until(world.committed())).toEqual([]);
      await world.until(first.commit(progress(2), [output(world, "c")]));
      await world.until(first.commit(progress(3), []));
      expect(await world.until(world.committed())).toEqual(["a", "b", "c"]);
      const second = world.open().output;
      await world.until(second.fence());
      expect(await world.until(second.claim("t2"))).toEqual(progress(3));
      expect(await world.until(second.claim("t3"))).toEqual(progress(3));
    });

    test("a fence ends the older owner's transaction, and the older owner learns that it is fenced", async () => {
      const world = await create();
      const old = world.open().output;
      await world.until(old.fence());
      await world.until(old.claim("t1"));
      await world.until(old.commit(progress(1), [output(world, "kept")]));
      await world.until(old.send([output(world, "lost")]));
      const heir = world.open().output;
      await world.until(heir.fence());
      await expect(world.until(old.commit(progress(2), []))).rejects.toMatchObject({ code: "fenced" });
      expect(await world.until(heir.claim("t2"))).toEqual(progress(1));
      await world.until(heir.commit(progress(2), [output(world, "again")]));
      expect(await world.until(world.committed())).toEqual(["kept", "again"]);
    });

    test("records come in offset order from the position, each once; a seek moves it back", async () => {
      const world = await create();
      const { input } = world.open();
      await world.until(world.append(["1", "2", "3", "4", "5"]));
      const read = async (count: number): Promise<string[]> => {
        const values: string[] = [];
        while (values.length < count)
          for (const { value } of await world.until(input.read(1_000))) values.push(Buffer.from(value!).toString());
        return values;
      };
      input.seek(0);
      expect(await read(5)).toEqual(["1", "2", "3", "4", "5"]);
      input.seek(3);
      expect(await read(2)).toEqual(["4", "5"]);
      expect(await world.until(input.bounds())).toEqual({ earliest: 0, latest: 5 });
      input.close();
    });

    test("a waiting read ends empty after its time, or when it is woken", async () => {
      const world = await create();
      const { input } = world.open();
      input.seek(0);
      expect(await world.until(input.read(20))).toEqual([]);
      const waiting = input.read(60_000);
      input.wake();
      expect(await world.until(waiting)).toEqual([]);
      input.close();
    });

    test("of two writers of a manifest with the same condition, one wins", async () => {
      const world = await create();
      const { snapshots } = world.open();
      const manifest = (owner: string, version: number): Manifest => ({
        version,
        owner,
        layout: 1,
        covers: null,
        segments: [],
      });
      expect(await world.until(snapshots.readManifest(world.task))).toBeNull();
      const results = await world.until(
        Promise.all(["a", "b"].map((owner) => snapshots.writeManifest(world.task, manifest(owner, 1), null))),
      );
      expect(results.filter(Boolean)).toHaveLength(1);
      const stored = (await world.until(snapshots.readManifest(world.task)))!;
      expect(
        await world.until(snapshots.writeManifest(world.task, manifest("c", 2), { version: 1, owner: "somebody" })),
      ).toBe(false);
      expect(await world.until(snapshots.writeManifest(world.task, manifest("c", 2), stored))).toBe(true);
      expect(await world.until(snapshots.readManifest(world.task))).toEqual(manifest("c", 2));
    });

    test("a segment of 380,000 bytes comes back unchanged, until it is deleted", async () => {
      const world = await create();
      const { snapshots } = world.open();
      const key = { owner: "o", generation: 1, part: 0 };
      const bytes = new Uint8Array(380_000).map((_, i) => (i * 31) % 251);
      expect(await world.until(snapshots.getSegment(world.task, key))).toBeNull();
      await world.until(snapshots.putSegment(world.task, key, bytes));
      expect(Buffer.from((await world.until(snapshots.getSegment(world.task, key)))!).equals(bytes)).toBe(true);
      await world.until(snapshots.deleteSegment(world.task, key));
      expect(await world.until(snapshots.getSegment(world.task, key))).toBeNull();
    });
  });
}
