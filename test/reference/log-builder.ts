import type { Semantics } from "../../domain/semantics.ts";
import { MAX_EPOCH_MS } from "../../domain/time.ts";
import { pack, packedHeaders, type Payload } from "./packed.ts";
import { broken } from "./rules/contract.ts";
import type { From, Spacing, StreamEvent, Values } from "./stream-events.ts";
import { StreamLog } from "./stream-log.ts";

/** Outputs are ordered by the bytes of the ids: these differ from every locale's order. */
const SENSORS = ["s1", "S2", "_", "a:b"];

interface Device {
  boot: string | undefined;
  /** All boots so far; undefined is a message without one. */
  boots: (string | undefined)[];
  /** The next message number. */
  next: number;
  /** Numbers left out so far. */
  skipped: number[];
  /** Time of the last sample of the last message. */
  last: number;
  /** Highest sample time. */
  highest: number;
}

interface Sent {
  readonly sensor: number;
  readonly payload: Payload;
  readonly packed: boolean;
}

/** Turns stream events into a log. Keeps the state of the devices. */
export class LogBuilder extends StreamLog {
  private readonly devices: Device[];
  private readonly sent: Sent[] = [];
  private random = 1;
  constructor(choices: readonly Semantics[], origin: number, partitions: number) {
    super(choices, origin, partitions);
    this.devices = SENSORS.map(() => ({
      boot: undefined,
      boots: [undefined],
      next: 0,
      skipped: [],
      last: origin,
      highest: origin,
    }));
  }

  apply(event: StreamEvent): void {
    switch (event.kind) {
      case "message":
        return this.message(event);
      case "resend":
        if (this.sent.length > 0) this.resend(this.sent[event.which % this.sent.length]!, event.advanceMs);
        return;
      case "reuse":
        return this.reuse(event);
      case "broken": {
        const [, value, key = SENSORS[event.sensor]!, headers = {}] = broken[event.which % broken.length]!;
        return this.append(
          event.sensor % this.partitions,
          event.advanceMs,
          key,
          typeof value === "string" ? Buffer.from(value) : value,
          headers,
        );
      }
      case "settings":
        return this.changeSettings(event);
      case "ticks":
        return this.ticks(event);
    }
  }

  private message(event: StreamEvent & { kind: "message" }): void {
    const device = this.devices[event.sensor]!;
    if (event.boot === "new") {
      const boot = `b${device.boots.length}`;
      Object.assign(device, { boot, boots: [...device.boots, boot], next: 0, skipped: [] });
    }
    const boot = event.boot === "old" ? device.boots[event.nudgeMs === 0 ? 0 : device.boots.length - 1] : device.boot;
    const first = this.first(device, event.from, this.clocks[event.sensor % this.partitions]!) + event.nudgeMs;
    const t = this.times(first, event.spacing, event.count);
    const samples = t.map(() => this.row(event.values));
    const payload: Payload =
      event.hz && Math.abs(first) > 1e12
        ? { seq: this.number(device, event.number), boot, t: first, hz: 125, samples }
        : { seq: this.number(device, event.number), boot, t, samples };
    this.send({ sensor: event.sensor, payload, packed: event.packed }, event.advanceMs, event.from !== "at the guard");
  }

  /** Appends a new message; with `follow`, at a time at which the future guard accepts it. */
  private send(sent: Sent, advanceMs: number, follow: boolean): void {
    const device = this.devices[sent.sensor]!;
    const { t, hz, samples } = sent.payload;
    const last = typeof t === "number" ? t + ((samples.length - 1) * 1000) / hz! : t.at(-1)!;
    this.sent.push(sent);
    this.resend(sent, advanceMs, follow ? Math.ceil(last - this.settings.futureGuardMs) : -Infinity);
    // The future guard refuses it: for the processor this device has sent nothing.
    if (last > this.log.at(-1)!.timestamp + this.settings.futureGuardMs) return;
    device.last = last;
    device.highest = Math.max(device.highest, last);
  }

  private resend({ sensor: index, payload, packed }: Sent, advanceMs: number, atLeast = -Infinity): void {
    const value = packed ? pack(payload) : Buffer.from(JSON.stringify(payload));
    this.append(index % this.partitions, advanceMs, SENSORS[index]!, value, packed ? packedHeaders : {}, atLeast);
  }

  private reuse(event: StreamEvent & { kind: "reuse" }): void {
    const sent = this.sent[event.which % Math.max(1, this.sent.length)];
    if (sent === undefined) return;
    const { seq, boot } = sent.payload;
    const payload = {
      seq,
      boot,
      t: [this.devices[sent.sensor]!.highest + event.nudgeMs],
      samples: [this.row("noise")],
    };
    this.send({ sensor: sent.sensor, payload, packed: false }, event.advanceMs, true);
  }

  /** Time of a message's first sample. */
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
      case "when a window is discarded":
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

  /** Times of a message's samples. */
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

  /** A message's number. A jump leaves out many, of which three may be filled later. */
  private number(device: Device, number: (StreamEvent & { kind: "message" })["number"]): number {
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
      if (values === "in g") return i === 2 ? -1 : 0;
      if (values === "constant") return 9.81;
      if (values === "nearly constant") return limit - unit * 1e-3;
      if (values === "extreme") return unit < 0.5 ? -limit : limit;
      return (unit - 0.5) * limit;
    });
  }
}
