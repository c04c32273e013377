import type { DeadLetterCode } from "../../domain/errors.ts";
import { MAX_SILENCE_PER_STEP } from "../../domain/imu.ts";
import type { Cause } from "../../domain/records.ts";
import type { Semantics } from "../../domain/semantics.ts";
import { topics } from "../../domain/topics.ts";
import type { LogRecord, Message, Output, Run } from "./log.ts";
import { readMessage } from "./message.ts";
import { SeenNumbers } from "./numbers.ts";
import { Order } from "./order.ts";
import { Sessions } from "./sessions.ts";
import { readSettings } from "./settings.ts";
import { magnitude } from "./statistics.ts";
import { Windows } from "./windows.ts";

interface Sensor {
  readonly id: string;
  /** The silence clock at its last message, and that message's offset. */
  lastSign: number;
  lastOffset: number;
  presence: "active" | "waits to go idle" | "idle" | "expired";
  highest: number;
  watermark: number;
  /** Settings that hold for its windows, sessions and order; the partition's for all else. */
  settings: Semantics;
  /** Windows and sessions that begin at or before this take nothing more. */
  finalUpTo: number;
  readonly numbers: SeenNumbers;
  windows: Windows;
  sessions: Sessions;
  order: Order;
}

/**
 * One partition, with the steps of `processor/runtime/partition-machine.ts`. Slow and plain: it shares no code with the
 * product, and keeps every reading.
 */
class Partition {
  duplicates = 0;
  private clock: number | undefined;
  /** The silence clock: the sum of the clock's advances, each at most `MAX_SILENCE_PER_STEP`. */
  private silence = 0;
  private highest = -Infinity;
  private partitionWatermark = -Infinity;
  /** Sensors that wait for their switch, in its order. */
  private toSwitch: Sensor[] = [];
  /** Sensors that may still switch or go idle in this step. */
  private budget = 0;
  private readonly changes = new Set<string>();
  private readonly reinjected = new Set<string>();
  private sensors: Sensor[] = [];
  /** Sensors that were found silent and wait for their turn to go idle. */
  private waiting: Sensor[] = [];
  private source: Pick<LogRecord, "partition" | "offset" | "headers" | "key"> = {
    partition: 0,
    offset: 0,
    headers: {},
    key: null,
  };
  private written: Record<string, number> = {};
  private settings: Semantics;
  private readonly override: Partial<Semantics>;
  private readonly outputs: Output[];
  constructor(settings: Semantics, override: Partial<Semantics>, outputs: Output[]) {
    this.settings = settings;
    this.override = override;
    this.outputs = outputs;
  }

  step(record: LogRecord): void {
    this.source = record;
    this.written = {};
    const clock = Math.max(this.clock ?? record.timestamp, record.timestamp);
    this.silence += Math.min(clock - (this.clock ?? clock), MAX_SILENCE_PER_STEP);
    this.clock = clock;
    this.budget = this.settings.maxSensorsPerStep;
    this.switchSome();
    this.goIdle();
    const isControl = record.key === null && record.value === null;
    const letter = record.headers["reinjected-from"];
    if (letter !== undefined && this.reinjected.has(letter)) return;
    if (letter !== undefined && !isControl) this.reinjected.add(letter);
    if (!isControl) this.data(record);
    else if (record.headers["type"] === "settings") this.takeSettings(record);
  }

  private takeSettings(record: LogRecord): void {
    const { change } = record.headers;
    if (change !== undefined && this.changes.has(change)) return;
    const received = readSettings(record.headers["settings"]);
    const next = received && { ...received, ...this.override };
    const isOtherScope = next !== null && next.watermark !== this.settings.watermark && this.highest !== -Infinity;
    if (next === null || isOtherScope) return this.deadLetter(record, "invalid-message");
    if (change !== undefined) this.changes.add(change);
    const names = Object.keys(next) as (keyof Semantics)[];
    if (names.every((name) => next[name] === this.settings[name])) return;
    const before = this.settings;
    this.settings = next;
    this.partitionWatermark = Math.max(this.partitionWatermark, this.highest - next.outOfOrdernessMs);
    const switching = this.sensors.filter(({ presence, settings }) => presence !== "expired" && settings === before);
    this.toSwitch.push(...switching);
    this.switchSome();
  }

  /** The sensors that wait for their switch: as many as a step may, and the record's own. */
  private switchSome(): void {
    const waits = (sensor: Sensor): boolean =>
      this.sensors.includes(sensor) && sensor.presence !== "expired" && sensor.settings !== this.settings;
    this.toSwitch = this.toSwitch.filter(waits);
    const first = this.toSwitch.splice(0, this.budget);
    this.budget -= first.length;
    for (const sensor of first) this.switch(sensor);
    for (const own of this.toSwitch.filter((sensor) => sensor.id === this.source.key)) this.switch(own);
    this.toSwitch = this.toSwitch.filter(waits);
  }

  /** What was not told as it is fires and is final. The order continues where it is. */
  private switch(sensor: Sensor): void {
    this.fire(sensor, Infinity, "settings");
    const { order } = sensor;
    this.beginAnew(sensor);
    sensor.order = order.under(this.settings);
  }

  /** Windows and sessions that begin at or before the highest event time take nothing more. */
  private beginAnew(sensor: Sensor): void {
    Object.assign(sensor, { finalUpTo: sensor.highest, settings: this.settings, ...this.emptyState(sensor.id) });
    this.raise(sensor);
  }

  private raise(sensor: Sensor): void {
    const { outOfOrdernessMs } = this.settings;
    sensor.watermark = Math.max(sensor.watermark, sensor.highest - outOfOrdernessMs);
    this.partitionWatermark = Math.max(this.partitionWatermark, this.highest - outOfOrdernessMs);
  }

  flush(): void {
    for (const sensor of this.sensors) this.fire(sensor, Infinity, "end-of-input");
  }

  private goIdle(): void {
    const { idleTimeoutMs, expiryMs, tombstoneMs } = this.settings;
    const silence = (sensor: Sensor): number => this.silence - sensor.lastSign;
    // Sensors are sorted by their ids.
    for (const sensor of this.sensors)
      if (sensor.presence === "active" && silence(sensor) > idleTimeoutMs) {
        sensor.presence = "waits to go idle";
        this.waiting.push(sensor);
      }
    const first = this.waiting.splice(0, this.budget);
    this.budget -= first.length;
    for (const sensor of first) this.becomeIdle(sensor);
    const own = this.waiting.find((sensor) => sensor.id === this.source.key);
    if (own !== undefined) {
      this.waiting.splice(this.waiting.indexOf(own), 1);
      this.becomeIdle(own);
    }
    for (const sensor of this.sensors)
      if (sensor.presence === "idle" && silence(sensor) > expiryMs) this.expire(sensor);
    this.sensors = this.sensors.filter(
      (sensor) => !(sensor.presence === "expired" && silence(sensor) > expiryMs + tombstoneMs),
    );
  }

  private becomeIdle(sensor: Sensor): void {
    this.fire(sensor, Infinity, "idle");
    sensor.presence = "idle";
  }

  private expire(sensor: Sensor): void {
    this.beginAnew(sensor);
    sensor.presence = "expired";
  }

  /** Expires the longest silent sensors, and forgets the oldest tombstones, when there are too many. */
  private makeRoom(): void {
    const longestFirst = (a: Sensor, b: Sensor): number => a.lastSign - b.lastSign || a.lastOffset - b.lastOffset;
    const { maxSensorsPerPartition: most } = this.settings;
    const present = this.sensors.filter(({ presence }) => presence !== "expired").sort(longestFirst);
    for (const sensor of present.slice(0, Math.max(0, present.length - most))) {
      this.waiting = this.waiting.filter((other) => other !== sensor);
      if (sensor.presence !== "idle") this.becomeIdle(sensor);
      this.expire(sensor);
    }
    const expired = this.sensors.filter(({ presence }) => presence === "expired").sort(longestFirst);
    const forgotten = expired.slice(0, Math.max(0, expired.length - most));
    this.sensors = this.sensors.filter((sensor) => !forgotten.includes(sensor));
  }

  private data(record: LogRecord): void {
    const message = readMessage(record);
    if (typeof message === "string") return this.deadLetter(record, message);
    if (message.t.some((t) => t > record.timestamp + this.settings.futureGuardMs))
      return this.deadLetter(record, "event-from-the-future");
    if (message.t.some((t) => t < this.settings.earliestTimeMs)) return this.deadLetter(record, "event-too-old");
    const known = this.sensors.find((candidate) => candidate.id === message.sensorId);
    const verdict = known?.numbers.judge(message) ?? "new";
    if (verdict === "unknown") return this.deadLetter(record, "sequence-unknown");
    if (verdict === "seen" && message.t.at(-1)! > known!.highest) return this.deadLetter(record, "sequence-reused");
    const sensor = known ?? this.addSensor(message.sensorId);
    if (sensor.presence === "expired")
      Object.assign(sensor, { settings: this.settings, ...this.emptyState(sensor.id) });
    this.raise(sensor);
    Object.assign(sensor, { lastSign: this.silence, lastOffset: record.offset, presence: "active" });
    this.makeRoom();
    if (verdict === "seen") this.duplicates += 1;
    else this.accept(sensor, message);
  }

  private accept(sensor: Sensor, message: Message): void {
    const { maxIntervalsPerSensor, maxBootsPerSensor, maxLetGoBootsPerSensor } = this.settings;
    const isNewBoot = !sensor.numbers.knows(message.boot);
    sensor.numbers.add(message, maxIntervalsPerSensor, maxBootsPerSensor, maxLetGoBootsPerSensor);
    const before = this.watermark(sensor);
    const late = (fields: object): void =>
      this.write(topics.late.name, sensor.id, { seq: message.seq, ...boot(message), ...fields });
    sensor.windows.apply(message, before, sensor.finalUpTo, late, this.writer(topics.aggregated.name, sensor.id));
    sensor.sessions.apply(message, before, sensor.finalUpTo, late, this.writer(topics.sessions.name, sensor.id));
    const behind = ({ t, samples }: Message): void =>
      late({ operator: "inference", window: { start: t[0], end: t.at(-1) }, t, samples });
    sensor.order.take(message, isNewBoot, this.transformed, behind);
    for (const t of message.t) {
      sensor.highest = Math.max(sensor.highest, t);
      this.highest = Math.max(this.highest, t);
    }
    this.raise(sensor);
    const moved = this.settings.watermark === "partition" ? this.sensors : [sensor];
    for (const each of moved) this.fire(each, this.watermark(each), "watermark");
  }

  private fire(sensor: Sensor, watermark: number, cause: Cause): void {
    sensor.order.watermark(watermark, this.transformed);
    sensor.windows.fireDue(watermark, cause, this.writer(topics.aggregated.name, sensor.id));
    sensor.sessions.endDue(watermark, cause, this.writer(topics.sessions.name, sensor.id));
  }

  private watermark(sensor: Sensor): number {
    return this.settings.watermark === "partition" ? this.partitionWatermark : sensor.watermark;
  }

  private emptyState(id: string): { windows: Windows; sessions: Sessions; order: Order } {
    return {
      windows: new Windows(this.settings),
      sessions: new Sessions(id, this.settings),
      order: new Order(this.settings),
    };
  }

  private addSensor(id: string): Sensor {
    const sensor: Sensor = {
      id,
      lastSign: this.silence,
      lastOffset: this.source.offset,
      presence: "active",
      highest: -Infinity,
      watermark: -Infinity,
      settings: this.settings,
      finalUpTo: -Infinity,
      numbers: new SeenNumbers(),
      ...this.emptyState(id),
    };
    this.sensors = [...this.sensors, sensor].sort((a, b) => Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
    return sensor;
  }

  private readonly transformed = (message: Message): void => {
    const accMag = message.samples.map((row) => magnitude(row[0]!, row[1]!, row[2]!));
    this.write(topics.transformed.name, message.sensorId, { seq: message.seq, ...boot(message), t: message.t, accMag });
  };

  private writer(topic: string, sensorId: string): (fields: object) => void {
    return (fields) => this.write(topic, sensorId, fields);
  }

  private write(topic: string, sensorId: string, fields: object): void {
    const n = this.written[topic] ?? 0;
    this.written[topic] = n + 1;
    const id = `${topics.imuData.name}/${this.source.partition}/${this.source.offset}/${n}`;
    this.outputs.push({ topic, key: sensorId, value: { id, schema: 1, sensorId, ...fields }, headers: this.carried() });
  }

  /** Headers that every output carries from the record that caused it. */
  private carried(): Record<string, string> {
    const { traceparent } = this.source.headers;
    return traceparent === undefined ? {} : { traceparent };
  }

  private deadLetter(record: LogRecord, code: DeadLetterCode): void {
    const headers = {
      "error-code": code,
      "source-topic": topics.imuData.name,
      "source-partition": `${record.partition}`,
      "source-offset": `${record.offset}`,
      ...this.carried(),
    };
    this.outputs.push({ topic: topics.deadLetter.name, key: record.key, value: record.value, headers });
  }
}

function boot(message: Message): { boot?: string } {
  return message.boot === undefined ? {} : { boot: message.boot };
}

/**
 * The outputs that a log must have, in the order of production.
 *
 * @param settings Those of a log until its first settings record
 * @param override Settings that no record changes
 * @param flush End the time of all sensors after the last record (`replay --flush`)
 */
export function referenceRun(
  log: readonly LogRecord[],
  settings: Semantics,
  flush: boolean,
  override: Partial<Semantics> = {},
): Run {
  const outputs: Output[] = [];
  const partitions = new Map<number, Partition>();
  for (const record of log) {
    if (!partitions.has(record.partition)) partitions.set(record.partition, new Partition(settings, override, outputs));
    partitions.get(record.partition)!.step(record);
  }
  const ascending = [...partitions.entries()].sort(([a], [b]) => a - b);
  if (flush) for (const [, partition] of ascending) partition.flush();
  return { outputs, duplicates: ascending.reduce((total, [, partition]) => total + partition.duplicates, 0) };
}
