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
import { magnitude } from "./statistics.ts";
import { Windows } from "./windows.ts";

interface Sensor {
  readonly id: string;
  /** The silence clock at its last message, and that message's offset. */
  lastSign: number;
  lastOffset: number;
  presence: "active" | "waits to go idle" | "idle" | "expired";
  highest: number;
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
  private readonly settings: Semantics;
  private readonly outputs: Output[];
  constructor(settings: Semantics, outputs: Output[]) {
    this.settings = settings;
    this.outputs = outputs;
  }

  step(record: LogRecord): void {
    this.source = record;
    this.written = {};
    const clock = Math.max(this.clock ?? record.timestamp, record.timestamp);
    this.silence += Math.min(clock - (this.clock ?? clock), MAX_SILENCE_PER_STEP);
    this.clock = clock;
    this.goIdle();
    const isControl = record.key === null && record.value === null;
    if (!isControl) this.data(record);
  }

  flush(): void {
    for (const sensor of this.sensors) this.fire(sensor, Infinity, "end-of-input");
  }

  private goIdle(): void {
    const { idleTimeoutMs, expiryMs, tombstoneMs, maxSensorsPerStep } = this.settings;
    const silence = (sensor: Sensor): number => this.silence - sensor.lastSign;
    // Sensors are sorted by their ids.
    for (const sensor of this.sensors)
      if (sensor.presence === "active" && silence(sensor) > idleTimeoutMs) {
        sensor.presence = "waits to go idle";
        this.waiting.push(sensor);
      }
    for (const sensor of this.waiting.splice(0, maxSensorsPerStep)) this.becomeIdle(sensor);
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
    Object.assign(sensor, { presence: "expired", finalUpTo: sensor.highest, ...this.emptyState(sensor.id) });
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
    const moved = this.settings.watermark === "partition" ? this.sensors : [sensor];
    for (const each of moved) this.fire(each, this.watermark(each), "watermark");
  }

  private fire(sensor: Sensor, watermark: number, cause: Cause): void {
    sensor.order.watermark(watermark, this.transformed);
    sensor.windows.fireDue(watermark, cause, this.writer(topics.aggregated.name, sensor.id));
    sensor.sessions.endDue(watermark, cause, this.writer(topics.sessions.name, sensor.id));
  }

  private watermark(sensor: Sensor): number {
    return (this.settings.watermark === "partition" ? this.highest : sensor.highest) - this.settings.outOfOrdernessMs;
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
 * @param flush End the time of all sensors after the last record (`replay --flush`)
 */
export function referenceRun(log: readonly LogRecord[], settings: Semantics, flush: boolean): Run {
  const outputs: Output[] = [];
  const partitions = new Map<number, Partition>();
  for (const record of log) {
    if (!partitions.has(record.partition)) partitions.set(record.partition, new Partition(settings, outputs));
    partitions.get(record.partition)!.step(record);
  }
  const ascending = [...partitions.entries()].sort(([a], [b]) => a - b);
  if (flush) for (const [, partition] of ascending) partition.flush();
  return { outputs, duplicates: ascending.reduce((total, [, partition]) => total + partition.duplicates, 0) };
}
