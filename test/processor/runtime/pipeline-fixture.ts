import { settingsHeader } from "../../../domain/controls.ts";
import { defaultSemantics, type Semantics } from "../../../domain/semantics.ts";
import { machineFactory } from "../../../processor/adapters/machine-factory.ts";
import type { Deduplication } from "../../../processor/runtime/deduplication.ts";
import type {
  InputRecord,
  MachineOrigin,
  OutputRecord,
  StateEntry,
  StateMachine,
} from "../../../processor/runtime/machine.ts";
import { Message } from "../../../processor/runtime/message.ts";
import type { Operator } from "../../../processor/runtime/operator.ts";
import type { Pipeline, Topology } from "../../../processor/runtime/pipeline.ts";

/** A record's value: a time, and what the operator is to do. */
export type Payload = "" | "throws" | "throws when it fires";

export class TestMessage extends Message {
  payload: Payload = "";
}

/** Times that wait to fire; fires each 1,000 ms of watermark behind it. */
interface Waiting {
  times: number[];
  isPoisoned: boolean;
}

export const waiting: Operator<Waiting, TestMessage> = {
  name: "waiting",
  layout: 1,
  create: () => ({ times: [], isPoisoned: false }),
  apply: (state, _keyed, message) => {
    if (message.payload === "throws") throw new Error("a bug on this record");
    if (message.payload === "throws when it fires") state.isPoisoned = true;
    state.times.push(message.firstTime);
  },
  fire: (state, keyed, upTo, _watermark, cause, { out }) => {
    const due = state.times.filter((time) => time + 1_000 <= upTo);
    if (state.isPoisoned && due.length > 0) throw new Error("a bug in what is open");
    state.times = state.times.filter((time) => time + 1_000 > upTo);
    const { watermark, finalUpTo } = keyed;
    for (const t of due) out.json("out", keyed.key, { t, cause, watermark, finalUpTo: Math.max(finalUpTo, -1) });
  },
  dueAt: ({ times }) => Math.min(...times.map((time) => time + 1_000)),
  encode: ({ times }, writer) => writer.f64s(Float64Array.from(times)),
  decode: (reader) => ({ times: [...reader.f64s()], isPoisoned: false }),
};

/** Deduplication that knows no duplicates and remembers nothing. */
export const noDeduplication: Deduplication = {
  create: () => null,
  judge: () => "new",
  add: () => undefined,
  encode: () => undefined,
  decode: () => null,
};

/** A pipeline of times, whose operators are those that the settings choose. */
export function pipelineOf(
  operatorsOf: (settings: Semantics) => Topology<TestMessage>["operators"],
): Pipeline<TestMessage> {
  return {
    name: "test",
    source: "in",
    deadLetter: "dead",
    open: () => ({
      controls: {},
      kept: [],
      asyncWork: null,
      build: (semantics) => ({
        maxKeys: semantics.maxSensorsPerPartition,
        message: new TestMessage(1),
        decode: (key, value, headers, message) => {
          message.key = key;
          message.rows = 1;
          message.t[0] = Number(Buffer.from(value).toString());
          message.payload = (headers["payload"] ?? "") as Payload;
          return null;
        },
        deduplication: noDeduplication,
        operators: operatorsOf(semantics),
      }),
    }),
  };
}

export const settings: Semantics = {
  ...defaultSemantics,
  earliestTimeMs: 0,
  outOfOrdernessMs: 0,
  allowedLatenessMs: 2_000,
  futureGuardMs: 1_000,
  idleTimeoutMs: 1_000,
  expiryMs: 3_000,
  tombstoneMs: 2_000,
};

/** A machine of `pipeline`, by default the one whose only operator is `waiting`. */
export async function machine(
  given: Partial<Semantics> = {},
  origin: Partial<MachineOrigin> = {},
  pipeline: Pipeline<TestMessage> = pipelineOf(() => [waiting]),
): Promise<StateMachine> {
  const factory = machineFactory(pipeline, { initial: { ...settings, ...given } });
  return await factory.create({ partition: 0, restored: null, failures: new Map(), ...origin });
}

export function reading(offset: number, key: string, t: number, payload: Payload = ""): InputRecord {
  const value = Buffer.from(String(t));
  return { partition: 0, offset, timestamp: t, key: Buffer.from(key), value, headers: { payload } };
}

export function tick(offset: number, timestamp: number, type = "tick"): InputRecord {
  return { partition: 0, offset, timestamp, key: null, value: null, headers: { type } };
}

/** A `settings` record. The fixture has no windows; one key a step switches, unless it is `given` otherwise. */
export function windowsOf(windowMs: number, offset: number, given: Partial<Semantics> = {}): InputRecord {
  const header = settingsHeader({ ...settings, maxSensorsPerStep: 1, windowMs, slideMs: windowMs, ...given });
  return { ...tick(offset, 0), headers: { type: "settings", settings: header } };
}

/** An output as `key t cause`, a dead letter as `dead key value code`. */
export function line({ topic, key, value, headers }: OutputRecord): string {
  const name = Buffer.from(key ?? "-").toString();
  if (topic === "dead") return `dead ${name} ${value === null ? "null" : "value"} ${headers["error-code"]}`;
  const { t, cause } = JSON.parse(Buffer.from(value!).toString()) as { t: number; cause: string };
  return `${name} ${t} ${cause}`;
}

export async function lines(of: StateMachine, records: readonly InputRecord[]): Promise<string[]> {
  for (const record of records) of.step(record);
  return (await of.settle()).map(line);
}

/** A machine's state, as increments by generation. */
export class Snapshots {
  readonly generations = new Map<number, StateEntry[]>();

  write(one: StateMachine, generation: number): readonly string[] {
    const entries: StateEntry[] = [];
    one.encodeChanges(generation, ({ key, value }) => entries.push({ key, value: Uint8Array.from(value) }));
    this.generations.set(generation, entries);
    const live = one.liveGenerations();
    for (const written of this.generations.keys()) if (!live.includes(written)) this.generations.delete(written);
    return entries.map(({ key }) => key);
  }

  get origin(): Pick<MachineOrigin, "restored"> {
    const entries = [...this.generations].flatMap(([generation, list]) =>
      list.map((entry) => ({ ...entry, generation })),
    );
    return { restored: { nextOffset: 100, chain: "0-00000000", entries } };
  }
}
