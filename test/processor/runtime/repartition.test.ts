import { expect, test } from "@jest/globals";
import { settingsHeader } from "../../../domain/controls.ts";
import type { MillraceError } from "../../../domain/errors.ts";
import { defaultSemantics, type Semantics } from "../../../domain/semantics.ts";
import { contentTypes, headers, topics } from "../../../domain/topics.ts";
import { sensorMachineFactory } from "../../../processor/adapters/machine-factory.ts";
import type { OutputRecord, StateEntry, StateMachine } from "../../../processor/runtime/machine.ts";
import { repartition, type TaskState } from "../../../processor/runtime/repartition.ts";

const semantics = {
  ...defaultSemantics,
  windowMs: 1_000,
  slideMs: 500,
  allowedLatenessMs: 20_000,
  outOfOrdernessMs: 500,
  sessionGapMs: 4_000,
  idleTimeoutMs: 8_000,
  futureGuardMs: 1_000,
  transformedFormat: "json",
} as const;
const factory = sensorMachineFactory(semantics);
const START = 1_657_533_977_000;
const KEYS = Array.from({ length: 24 }, (_, i) => `sensor-${i}`);
/** A partitioner. */
const partitionOf = (key: string, count: number): number =>
  Array.from(key).reduce((sum, character) => sum * 31 + character.charCodeAt(0), 7) % count;

/** The machine of one partition, with its outputs and the state that it has written. */
class Task {
  readonly partition: number;
  readonly entries: StateEntry[] = [];
  readonly outputs: OutputRecord[] = [];
  #machine: StateMachine;
  #offset: number;
  #generation = 0;

  private constructor(partition: number, machine: StateMachine, offset: number) {
    this.partition = partition;
    this.#machine = machine;
    this.#offset = offset;
  }

  static async create(partition: number, nextOffset = 0, entries: readonly StateEntry[] | null = null): Promise<Task> {
    const restored = entries && {
      nextOffset,
      chain: "0-00000000",
      entries: entries.map((entry) => ({ generation: 0, ...entry })),
    };
    return new Task(partition, await factory.create({ partition, restored, failures: new Map() }), nextOffset);
  }

  get nextOffset(): number {
    return this.#offset;
  }

  /** Appends a `settings` record. */
  async settings(next: Semantics): Promise<void> {
    const { partition } = this;
    const record = { partition, offset: this.#offset++, timestamp: START, key: null, value: null };
    this.#machine.step({ ...record, headers: { type: "settings", settings: settingsHeader(next) } });
    for (const output of await this.#machine.settle()) this.outputs.push(output);
  }

  async step(timestamp: number, key: string | null, value: Buffer | null): Promise<void> {
    this.#machine.step({
      partition: this.partition,
      offset: this.#offset++,
      timestamp,
      key: key === null ? null : Buffer.from(key),
      value,
      headers: value ? { [headers.contentType]: contentTypes.json } : {},
    });
    this.outputs.push(...(await this.#machine.settle()));
  }

  async flush(): Promise<void> {
    this.#machine.flush();
    this.outputs.push(...(await this.#machine.settle()));
  }

  snapshot(): void {
    this.#machine.encodeChanges(++this.#generation, (entry) =>
      this.entries.push({ key: entry.key, value: Uint8Array.from(entry.value) }),
    );
  }

  state(): TaskState {
    return { task: `task-${this.partition}`, partition: this.partition, entries: this.entries };
  }
}

/** Traffic with silent sensors, duplicates, gaps, disorder, late readings, and readings too late for any window. */
function traffic(steps: number): { timestamp: number; key: string; value: Buffer }[] {
  let seed = 12_345;
  const random = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
  const sent = new Map<string, Buffer[]>();
  return Array.from({ length: steps }, (_, n) => {
    const timestamp = START + n * 400;
    // The set of active sensors moves, so that each sensor is silent for a while.
    const key = KEYS[(Math.floor(n / 40) * 5 + random(9)) % KEYS.length]!;
    const before = sent.get(key) ?? [];
    const kind = random(10);
    if (kind === 0 && before.length > 0) return { timestamp, key, value: before[random(before.length)]! };
    const t = timestamp - random(300) - (kind === 1 ? 12_000 : kind === 2 ? 40_000 : 0);
    const value = Buffer.from(
      JSON.stringify({
        seq: before.length + (kind === 3 ? 1 : 0) + Math.floor(n / 100),
        t,
        hz: 10,
        samples: Array.from({ length: 1 + random(9) }, () => Array.from({ length: 6 }, () => random(1_000) / 100)),
      }),
    );
    sent.set(key, [...before, value]);
    return { timestamp, key, value };
  });
}

/** Feeds one record; the other partitions see the same time by a tick. */
async function feed(
  tasks: readonly Task[],
  { timestamp, key, value }: { timestamp: number; key: string; value: Buffer },
): Promise<void> {
  const target = partitionOf(key, tasks.length);
  for (const task of tasks)
    await (task.partition === target ? task.step(timestamp, key, value) : task.step(timestamp, null, null));
}

/** The outputs of each key, in order, without what depends on the partition: ids and the source of dead letters. */
function byKey(tasks: readonly Task[]): Record<string, string[]> {
  const result: Record<string, string[]> = {};
  for (const { topic, key, value, headers: given } of tasks.flatMap(({ outputs }) => outputs)) {
    const text = Buffer.from(value!)
      .toString("utf8")
      .replace(/"id":"[^"]*"/, '"id":""');
    (result[String(key)] ??= []).push(`${topic} ${given[headers.errorCode] ?? ""} ${text}`);
  }
  return result;
}

test.each([
  [1, 5],
  [2, 5],
  [3, 4],
])("keys of %i partitions continue in %i as if they had never moved", async (from, to) => {
  const records = traffic(900);
  const single = [await Task.create(0)];
  const old = await Promise.all(Array.from({ length: from }, (_, partition) => Task.create(partition)));
  for (const [n, record] of records.slice(0, 500).entries()) {
    await feed(single, record);
    await feed(old, record);
    if (n % 70 === 0) for (const task of old) task.snapshot();
  }
  for (const task of old) task.snapshot();

  const entries = repartition(
    old.map((task) => task.state()),
    to,
    (key) => partitionOf(key, to),
  )!.states;
  const tasks = await Promise.all(
    entries.map((each, partition) => Task.create(partition, old[partition]?.nextOffset ?? 0, each)),
  );
  for (const record of records.slice(500)) {
    await feed(single, record);
    await feed(tasks, record);
  }
  for (const task of [...single, ...tasks]) await task.flush();

  const expected = byKey(single);
  expect(byKey([...old, ...tasks])).toEqual(expected);
  // The traffic covers every kind of output.
  const all = Object.values(expected).flat();
  const kinds = [
    topics.aggregated.name,
    topics.sessions.name,
    topics.late.name,
    topics.transformed.name,
    '"cause":"idle"',
    '"cause":"late"',
    '"revision":1',
  ];
  expect(
    kinds.filter((kind) => all.filter((line) => line.includes(kind)).length < 5).map((kind) => `${kind}: fewer than 5`),
  ).toEqual([]);
});

test("a key's silence keeps its length, whatever the clock of its new task", async () => {
  const at = (seconds: number): number => START + seconds * 1_000;
  const message = (seconds: number): Buffer =>
    Buffer.from(JSON.stringify({ seq: 0, t: at(seconds), hz: 10, samples: [[1, 2, 3, 4, 5, 6]] }));
  const early = await Task.create(0);
  for (let second = 0; second <= 30; second++) await early.step(at(second), null, null);
  const late = await Task.create(1);
  await late.step(at(24), "s", message(24)); // silent for 6 of 8 s at second 30
  for (let second = 25; second <= 30; second++) await late.step(at(second), null, null);
  for (const task of [early, late]) task.snapshot();
  const entries = repartition([early.state(), late.state()], 3, () => 2)!.states;
  const moved = await Task.create(2, 0, entries[2]);
  for (const second of [31, 32]) await moved.step(at(second), null, null);
  expect(moved.outputs).toEqual([]);
  await moved.step(at(32) + 1, null, null);
  expect(moved.outputs.map(({ topic }) => topic)).toContain(topics.sessions.name);
});

/** State of one key in its task, as of one message. */
async function stateOf(
  partition: number,
  seq: number,
  { key = "s", t = START, changes = [] }: { key?: string; t?: number; changes?: readonly Partial<Semantics>[] } = {},
): Promise<TaskState> {
  const task = await Task.create(partition);
  await task.step(t, key, Buffer.from(JSON.stringify({ seq, t, hz: 10, samples: [[1, 2, 3, 4, 5, 6]] })));
  for (const change of changes) await task.settings({ ...semantics, ...change });
  task.snapshot();
  return task.state();
}

test("state that an earlier attempt has copied is taken once", async () => {
  const state = await stateOf(0, 0);
  const [first] = repartition([state, { ...state, task: "task-1", partition: 1 }], 2, () => 1)!.states;
  const second = repartition([state, { ...state, task: "task-1", partition: 1 }], 2, () => 1)!.states[1]!;
  expect(first!.map(({ key }) => key)).toEqual(["task"]);
  expect(second.map(({ key }) => key).filter((key) => key === "key/s")).toHaveLength(1);
});

const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return `${(error as MillraceError).code} ${(error as Error).message}`;
  }
  return "none";
};

test("tasks under different settings are refused, and so is one with a sensor that has not switched", async () => {
  const [before, after] = [await stateOf(0, 0), await stateOf(1, 0, { key: "t", changes: [{ idleTimeoutMs: 9_000 }] })];
  expect(refusal(() => repartition([before, after], 2, () => 1))).toMatch(
    /^rescale-refused task-1 has other settings in force than task-0, or sensors that have not switched yet\./,
  );
  expect(refusal(() => repartition([after, { ...after, task: "task-2" }], 2, () => 1))).toBe("none");
  const waiting = await Task.create(0);
  await waiting.step(
    START,
    "a",
    Buffer.from(JSON.stringify({ seq: 0, t: START, hz: 10, samples: [[1, 2, 3, 4, 5, 6]] })),
  );
  await waiting.step(
    START,
    "b",
    Buffer.from(JSON.stringify({ seq: 0, t: START, hz: 10, samples: [[1, 2, 3, 4, 5, 6]] })),
  );
  await waiting.settings({ ...semantics, maxSensorsPerStep: 1 });
  await waiting.settings({ ...semantics, maxSensorsPerStep: 1, idleTimeoutMs: 9_000 });
  waiting.snapshot();
  expect(refusal(() => repartition([waiting.state()], 2, () => 1))).toMatch(
    /^rescale-refused task-0 has other settings/,
  );
});

test("with one watermark per partition, event times must be within the allowed lateness of each other", async () => {
  const changes = [{ watermark: "partition", idleTimeoutMs: 9_000 }] as const;
  const states = async (apart: number): Promise<TaskState[]> => {
    const tasks = [Task.create(0), Task.create(1), Task.create(2)].map(async (created, i) => {
      const task = await created;
      await task.settings({ ...semantics, ...changes[0] });
      const t = START + i * apart;
      const value = Buffer.from(JSON.stringify({ seq: 0, t, hz: 10, samples: [[1, 2, 3, 4, 5, 6]] }));
      if (i < 2) await task.step(t, `k${i}`, value); // the third has read nothing yet
      task.snapshot();
      return task.state();
    });
    return Promise.all(tasks);
  };
  const within = await states(19_999);
  expect(refusal(() => repartition(within, 2, () => 1))).toBe("none");
  const beyond = await states(20_000);
  expect(refusal(() => repartition(beyond, 2, () => 1))).toBe(
    "rescale-refused with one watermark per partition, the partitions' event times are 20000 ms apart; " +
      "they must be within the allowed lateness (20000 ms)",
  );
});

test("tasks with different state of one key are refused, and so are tasks with different control records", async () => {
  const [one, other] = [await stateOf(0, 0), await stateOf(1, 7)];
  expect(refusal(() => repartition([one, other], 2, () => 1))).toMatch(
    /^rescale-refused key "s" has state in task-0 and in task-1/,
  );
  const task = [...other.entries].find(({ key }) => key === "task")!;
  const scored = {
    ...other,
    entries: [
      {
        key: "task",
        value: Buffer.from(Buffer.from(task.value).toString("latin1").replace('"live":null', '"live":1234'), "latin1"),
      },
    ],
  };
  expect(refusal(() => repartition([one, scored], 2, () => 1))).toMatch(
    /^rescale-refused task-0 has taken other control records than task-1: .*"live":null.* and .*"live":1234/,
  );
});
