import fc from "fast-check";
import type { Semantics } from "../../domain/imu.ts";
import { MAX_EPOCH_MS } from "../../domain/time.ts";
import type { LogRecord } from "./log.ts";
import { pack, packedHeaders, type Payload } from "./packed.ts";
import { broken } from "./rules/contract.ts";

const SENSORS = ["s1", "S2", "_", "a:b"];

/** What happens next in a stream, in terms of the settings; numbers choose among what is there. */
export type Act =
  | {
      kind: "message";
      sensor: number;
      from: From;
      nudge: number;
      spacing: Spacing;
      count: number;
      number: "next" | "skip" | "jump" | "fill" | "old";
      boot: "same" | "new" | "old";
      values: Values;
      advance: number;
      hz: boolean;
      packed: boolean;
    }
  | { kind: "again"; which: number; advance: number }
  | { kind: "reuse"; which: number; nudge: number; advance: number }
  | { kind: "broken"; which: number; sensor: number; advance: number }
  | { kind: "ticks"; count: number; advance: number | "idle" | "past idle"; partition: number };

/** Where a message's first sample lies. */
type From =
  | "after the last"
  | "at the highest"
  | "on a window's start"
  | "when a window fires"
  | "when a window goes"
  | "a gap after"
  | "when a session ends"
  | "when a session is over"
  | "when a session is late"
  | "at the guard"
  | "far back"
  | "a bit back"
  | "at the beginning of time";
type Spacing = "10" | "0" | "0.25" | "gap" | "beyond the gap" | "window" | "slide" | "ragged";
type Values = "noise" | "constant" | "nearly constant" | "extreme" | "zero";

const advances = fc.constantFrom(0, 0, 1, 10, 100, 1000, 4999, 5000, 5001, 3_600_000, -2000);
/** 2^-12 ms is the distance between two doubles at today's epoch milliseconds. */
const nudges = fc.constantFrom(0, 0, 0, 1, -1, 0.25, -0.25, 2 ** -12, -(2 ** -12), 50, -50);
const which = fc.nat(50);
const sensor = fc.constantFrom(0, 0, 0, 1, 2, 3);

const message: fc.Arbitrary<Act> = fc.record({
  kind: fc.constant("message" as const),
  sensor,
  from: fc.constantFrom<From[]>(
    "after the last",
    "after the last",
    "after the last",
    "at the highest",
    "on a window's start",
    "when a window fires",
    "when a window goes",
    "a gap after",
    "when a session ends",
    "when a session is over",
    "when a session is late",
    "at the guard",
    "far back",
    "a bit back",
    "a bit back",
    "at the beginning of time",
  ),
  nudge: nudges,
  spacing: fc.constantFrom<Spacing[]>("10", "10", "0", "0.25", "gap", "beyond the gap", "window", "slide", "ragged"),
  count: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 6 }) },
    { weight: 1, arbitrary: fc.integer({ min: 20, max: 60 }) },
  ),
  number: fc.constantFrom("next", "next", "next", "next", "skip", "jump", "fill", "fill", "old"),
  boot: fc.constantFrom("same", "same", "same", "same", "same", "same", "same", "new", "old"),
  values: fc.constantFrom<Values[]>("noise", "noise", "constant", "nearly constant", "extreme", "zero"),
  advance: advances,
  hz: fc.constantFrom(false, false, false, true),
  packed: fc.constantFrom(false, false, true),
});

export const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 12, arbitrary: message },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("again" as const), which, advance: advances }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reuse" as const), which, nudge: nudges, advance: advances }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("broken" as const), which, sensor, advance: advances }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("ticks" as const),
      count: fc.integer({ min: 1, max: 5 }),
      advance: fc.constantFrom(1, 1000, 5000, 100_000, "idle" as const, "past idle" as const),
      partition: fc.nat(1),
    }),
  },
);

interface Device {
  boot: string | undefined;
  boots: (string | undefined)[];
  next: number;
  skipped: number[];
  last: number;
  highest: number;
}

interface Sent {
  readonly sensor: number;
  readonly payload: Payload;
  readonly packed: boolean;
}

/** Turns acts into a log: keeps what devices and the broker know. */
export class LogBuilder {
  readonly log: LogRecord[] = [];
  private readonly devices: Device[];
  private readonly sent: Sent[] = [];
  private readonly clocks: number[];
  private readonly settings: Semantics;
  private readonly partitions: number;
  private random = 1;
  constructor(settings: Semantics, origin: number, partitions: number) {
    this.settings = settings;
    this.partitions = partitions;
    this.clocks = Array.from({ length: partitions }, () => origin);
    this.devices = SENSORS.map(() => ({
      boot: undefined,
      boots: [undefined],
      next: 0,
      skipped: [],
      last: origin,
      highest: origin,
    }));
  }

  play(act: Act): void {
    switch (act.kind) {
      case "message":
        return this.message(act);
      case "again":
        if (this.sent.length > 0) this.resend(this.sent[act.which % this.sent.length]!, act.advance);
        return;
      case "reuse":
        return this.reuse(act);
      case "broken": {
        const [, value, key = SENSORS[act.sensor]!, headers = {}] = broken[act.which % broken.length]!;
        return this.append(
          act.sensor % this.partitions,
          act.advance,
          key,
          typeof value === "string" ? Buffer.from(value) : value,
          headers,
        );
      }
      case "ticks":
        for (let i = 0; i < act.count; i += 1)
          this.append(act.partition % this.partitions, this.tickAdvance(act.advance), null, null, { type: "tick" });
    }
  }

  private tickAdvance(advance: number | "idle" | "past idle"): number {
    if (typeof advance === "number") return advance;
    return this.settings.idleTimeoutMs + (advance === "idle" ? 0 : 1);
  }

  private append(
    partition: number,
    advance: number,
    key: string | null,
    value: Uint8Array | null,
    headers: Record<string, string> = {},
    atLeast = -Infinity,
  ): void {
    const timestamp = Math.max(Math.ceil(this.clocks[partition]! + advance), atLeast);
    this.clocks[partition] = Math.max(this.clocks[partition]!, timestamp);
    // Transactions and compaction leave gaps in the offsets of a log.
    const offset =
      (this.log.findLast((record) => record.partition === partition)?.offset ?? -1) +
      (this.log.length % 7 === 3 ? 3 : 1);
    // Every third record was traced.
    const traced =
      this.log.length % 3 === 1
        ? { traceparent: `00-${String(this.log.length).padStart(32, "0")}-00f067aa0ba902b7-01` }
        : {};
    this.log.push({ partition, offset, timestamp, key, value, headers: { ...headers, ...traced } });
  }

  private message(act: Act & { kind: "message" }): void {
    const device = this.devices[act.sensor]!;
    if (act.boot === "new")
      Object.assign(
        device,
        { boot: `b${device.boots.length}`, next: 0, skipped: [] },
        { boots: [...device.boots, `b${device.boots.length}`] },
      );
    const boot = act.boot === "old" ? device.boots[act.nudge === 0 ? 0 : device.boots.length - 1] : device.boot;
    const first = this.first(device, act.from, this.clocks[act.sensor % this.partitions]!) + act.nudge;
    const t = this.times(first, act.spacing, act.count);
    const samples = t.map(() => this.row(act.values));
    const payload: Payload =
      act.hz && Math.abs(first) > 1e12
        ? { seq: this.number(device, act.number), boot, t: first, hz: 125, samples }
        : { seq: this.number(device, act.number), boot, t, samples };
    this.send({ sensor: act.sensor, payload, packed: act.packed }, act.advance, act.from !== "at the guard");
  }

  private send(sent: Sent, advance: number, follow: boolean): void {
    const device = this.devices[sent.sensor]!;
    const { t, hz, samples } = sent.payload;
    const last = typeof t === "number" ? t + ((samples.length - 1) * 1000) / hz! : t.at(-1)!;
    this.sent.push(sent);
    this.resend(sent, advance, follow ? Math.ceil(last - this.settings.futureGuardMs) : -Infinity);
    if (last > this.log.at(-1)!.timestamp + this.settings.futureGuardMs) return;
    device.last = last;
    device.highest = Math.max(device.highest, last);
  }

  private resend({ sensor: index, payload, packed }: Sent, advance: number, atLeast = -Infinity): void {
    const value = packed ? pack(payload) : Buffer.from(JSON.stringify(payload));
    this.append(index % this.partitions, advance, SENSORS[index]!, value, packed ? packedHeaders : {}, atLeast);
  }

  private reuse(act: Act & { kind: "reuse" }): void {
    const sent = this.sent[act.which % Math.max(1, this.sent.length)];
    if (sent === undefined) return;
    const { seq, boot } = sent.payload;
    const payload = { seq, boot, t: [this.devices[sent.sensor]!.highest + act.nudge], samples: [this.row("noise")] };
    this.send({ sensor: sent.sensor, payload, packed: false }, act.advance, true);
  }

  private first(device: Device, from: From, clock: number): number {
    const { windowMs, slideMs, outOfOrdernessMs, allowedLatenessMs, sessionGapMs, futureGuardMs } = this.settings;
    const watermark = device.highest - outOfOrdernessMs;
    const start = Math.floor(device.highest / slideMs) * slideMs;
    switch (from) {
      case "after the last":
        return device.last + 10;
      case "at the highest":
        return device.highest;
      case "on a window's start":
        return start + slideMs;
      case "when a window fires":
        return start + windowMs + outOfOrdernessMs;
      case "when a window goes":
        return Math.floor((watermark - allowedLatenessMs) / slideMs) * slideMs;
      case "a gap after":
        return device.highest + sessionGapMs;
      case "when a session ends":
        return device.last + sessionGapMs + outOfOrdernessMs;
      case "when a session is over":
        return watermark - sessionGapMs;
      case "when a session is late":
        return watermark - sessionGapMs - allowedLatenessMs;
      case "at the guard":
        return clock + futureGuardMs;
      case "far back":
        return device.highest - 100_000;
      case "at the beginning of time":
        return -MAX_EPOCH_MS;
      case "a bit back":
        return device.highest - 700;
    }
  }

  private times(first: number, spacing: Spacing, count: number): number[] {
    const { windowMs, slideMs, sessionGapMs } = this.settings;
    const steps: Record<Spacing, (i: number) => number> = {
      "10": () => 10,
      "0": () => 0,
      "0.25": () => 0.25,
      gap: () => sessionGapMs,
      "beyond the gap": () => sessionGapMs + 1,
      window: () => windowMs,
      slide: () => slideMs,
      ragged: (i) => [0, 1, sessionGapMs, 333, sessionGapMs + 0.25, 2 * windowMs][i % 6]!,
    };
    const t = [first];
    while (t.length < count) t.push(t.at(-1)! + steps[spacing](t.length));
    return t;
  }

  private number(device: Device, number: (Act & { kind: "message" })["number"]): number {
    if (number === "old") return Math.max(0, device.next - 3);
    if (number === "fill" && device.skipped.length > 0) return device.skipped.splice(device.skipped.length >> 1, 1)[0]!;
    const step = number === "skip" ? 2 : number === "jump" ? 1000 : 0;
    for (let i = 0; i < Math.min(step, 3); i += 1) device.skipped.push(device.next + i);
    device.next += step + 1;
    return device.next - 1;
  }

  private row(values: Values): number[] {
    return Array.from({ length: 6 }, (_, i) => {
      this.random = (this.random * 48_271) % 2_147_483_647;
      const unit = this.random / 2_147_483_647;
      const limit = i < 3 ? 320 : 70;
      if (values === "zero") return 0;
      if (values === "constant") return 9.81;
      if (values === "nearly constant") return limit - unit * 1e-3;
      if (values === "extreme") return unit < 0.5 ? -limit : limit;
      return (unit - 0.5) * limit;
    });
  }
}
