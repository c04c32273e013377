import type { DeadLetterCode } from "../../domain/errors.ts";
import { MAX_SILENCE_PER_STEP } from "../../domain/imu.ts";
import type { Cause } from "../../domain/records.ts";
import type { Semantics } from "../../domain/semantics.ts";
import { topics } from "../../domain/topics.ts";
import type { LogRecord, Output, Run } from "./log.ts";
import { readSettings } from "./settings.ts";

/** What every pipeline keeps of a key: a sensor or a symbol. */
export interface Keyed {
  readonly id: string;
  /** The silence clock at its last message, and that message's offset. */
  lastSign: number;
  lastOffset: number;
  presence: "active" | "waits to go idle" | "idle" | "expired";
  highest: number;
  watermark: number;
  /** Settings that hold for what it has open; the partition's for all else. */
  settings: Semantics;
  /** What begins at or before this takes nothing more. */
  finalUpTo: number;
}

/**
 * One partition, with the steps of `processor/runtime/partition-machine.ts`: clocks, idleness, expiry, settings and
 * bounds of keys. Slow and plain: it shares no code with the product. A pipeline says what its records do.
 */
export abstract class Partition<K extends Keyed> {
  duplicates = 0;
  private clock: number | undefined;
  /** The silence clock: the sum of the clock's advances, each at most `MAX_SILENCE_PER_STEP`. */
  private silence = 0;
  protected highest = -Infinity;
  private partitionWatermark = -Infinity;
  /** Keys that wait for their switch, in its order. */
  private toSwitch: K[] = [];
  /** Keys that may still switch or go idle in this step. */
  private budget = 0;
  private readonly changes = new Set<string>();
  private readonly reinjected = new Set<string>();
  /** Sorted by the bytes of their ids. */
  protected keys: K[] = [];
  /** Keys that were found silent and wait for their turn to go idle. */
  private waiting: K[] = [];
  protected source: Pick<LogRecord, "partition" | "offset" | "headers" | "key"> = {
    partition: 0,
    offset: 0,
    headers: {},
    key: null,
  };
  private written: Record<string, number> = {};
  protected settings: Semantics;
  private readonly override: Partial<Semantics>;
  private readonly outputs: Output[];
  constructor(settings: Semantics, override: Partial<Semantics>, outputs: Output[]) {
    this.settings = settings;
    this.override = override;
    this.outputs = outputs;
  }

  /** The log that the partition is of. */
  protected abstract readonly log: string;
  /** The field of an output that has the key. */
  protected abstract readonly keyField: string;

  /** A record that is no control record. */
  protected abstract data(record: LogRecord): void;

  /** A control record that is neither a tick nor settings; false when it breaks the contract. */
  protected abstract control(record: LogRecord): boolean;

  /** A key with nothing open. */
  protected abstract create(keyed: Keyed): K;

  /** The key begins anew under the partition's settings: nothing is open. */
  protected abstract clear(keyed: K): void;

  /** What continues of a key that was cleared for its switch. */
  protected abstract continue(keyed: K, before: K): void;

  /** What is due of a key fires. */
  protected abstract fire(keyed: K, watermark: number, cause: Cause): void;

  /** Keys that a partition may have. */
  protected abstract readonly maxKeys: number;

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
    else if (!["tick", undefined].includes(record.headers["type"])) this.change(record);
  }

  private change(record: LogRecord): void {
    const { change, type } = record.headers;
    if (change !== undefined && this.changes.has(change)) return;
    const isTaken = type === "settings" ? this.takeSettings(record) : this.control(record);
    if (!isTaken) this.deadLetter(record, "invalid-message");
    else if (change !== undefined) this.changes.add(change);
  }

  private takeSettings(record: LogRecord): boolean {
    const received = readSettings(record.headers["settings"]);
    const next = received && { ...received, ...this.override };
    const isOtherScope = next !== null && next.watermark !== this.settings.watermark && this.highest !== -Infinity;
    if (next === null || isOtherScope) return false;
    const names = Object.keys(next) as (keyof Semantics)[];
    if (names.every((name) => next[name] === this.settings[name])) return true;
    const before = this.settings;
    this.settings = next;
    const switching = this.keys.filter(({ presence, settings }) => presence !== "expired" && settings === before);
    this.toSwitch.push(...switching);
    this.switchSome();
    return true;
  }

  /** The keys that wait for their switch: as many as a step may, and the record's own. */
  private switchSome(): void {
    const waits = (keyed: K): boolean =>
      this.keys.includes(keyed) && keyed.presence !== "expired" && keyed.settings !== this.settings;
    this.toSwitch = this.toSwitch.filter(waits);
    const first = this.toSwitch.splice(0, this.budget);
    this.budget -= first.length;
    for (const keyed of first) this.switch(keyed);
    for (const own of this.toSwitch.filter((keyed) => keyed.id === this.source.key)) this.switch(own);
    this.toSwitch = this.toSwitch.filter(waits);
  }

  /** What was not told as it is fires and is final. */
  private switch(keyed: K): void {
    this.fire(keyed, Infinity, "settings");
    const before = { ...keyed };
    this.beginAnew(keyed);
    this.continue(keyed, before);
  }

  /** What begins at or before the highest event time takes nothing more. */
  private beginAnew(keyed: K): void {
    keyed.finalUpTo = keyed.highest;
    keyed.settings = this.settings;
    this.clear(keyed);
    this.raise(keyed);
  }

  private raise(keyed: K): void {
    const { outOfOrdernessMs } = this.settings;
    keyed.watermark = Math.max(keyed.watermark, keyed.highest - outOfOrdernessMs);
  }

  flush(): void {
    for (const keyed of this.keys) this.fire(keyed, Infinity, "end-of-input");
  }

  private goIdle(): void {
    const { idleTimeoutMs, expiryMs, tombstoneMs } = this.settings;
    const silence = (keyed: K): number => this.silence - keyed.lastSign;
    for (const keyed of this.keys)
      if (keyed.presence === "active" && silence(keyed) > idleTimeoutMs) {
        keyed.presence = "waits to go idle";
        this.waiting.push(keyed);
      }
    const first = this.waiting.splice(0, this.budget);
    this.budget -= first.length;
    for (const keyed of first) this.becomeIdle(keyed);
    const own = this.waiting.find((keyed) => keyed.id === this.source.key);
    if (own !== undefined) {
      this.waiting.splice(this.waiting.indexOf(own), 1);
      this.becomeIdle(own);
    }
    for (const keyed of this.keys) if (keyed.presence === "idle" && silence(keyed) > expiryMs) this.expire(keyed);
    this.keys = this.keys.filter((keyed) => !(keyed.presence === "expired" && silence(keyed) > expiryMs + tombstoneMs));
  }

  private becomeIdle(keyed: K): void {
    this.fire(keyed, Infinity, "idle");
    keyed.presence = "idle";
  }

  private expire(keyed: K): void {
    this.beginAnew(keyed);
    keyed.presence = "expired";
  }

  /** Expires the longest silent keys, and forgets the oldest tombstones, when there are too many. */
  private makeRoom(): void {
    const longestFirst = (a: K, b: K): number => a.lastSign - b.lastSign || a.lastOffset - b.lastOffset;
    const present = this.keys.filter(({ presence }) => presence !== "expired").sort(longestFirst);
    for (const keyed of present.slice(0, Math.max(0, present.length - this.maxKeys))) {
      this.waiting = this.waiting.filter((other) => other !== keyed);
      if (keyed.presence !== "idle") this.becomeIdle(keyed);
      this.expire(keyed);
    }
    const expired = this.keys.filter(({ presence }) => presence === "expired").sort(longestFirst);
    const forgotten = expired.slice(0, Math.max(0, expired.length - this.maxKeys));
    this.keys = this.keys.filter((keyed) => !forgotten.includes(keyed));
  }

  /** The guards of event times. */
  protected guard(record: LogRecord, times: readonly number[]): DeadLetterCode | undefined {
    if (times.some((t) => t > record.timestamp + this.settings.futureGuardMs)) return "event-from-the-future";
    return times.some((t) => t < this.settings.earliestTimeMs) ? "event-too-old" : undefined;
  }

  protected find(id: string): K | undefined {
    return this.keys.find((keyed) => keyed.id === id);
  }

  /** A key of which a record came that is no dead letter. */
  protected sawLife(id: string): K {
    const keyed = this.find(id) ?? this.add(id);
    if (keyed.presence === "expired") {
      keyed.settings = this.settings;
      this.clear(keyed);
    }
    this.raise(keyed);
    keyed.lastSign = this.silence;
    keyed.lastOffset = this.source.offset;
    keyed.presence = "active";
    this.makeRoom();
    return keyed;
  }

  /** The watermark moves by event times, and what is due fires. */
  protected moveWatermark(keyed: K, times: readonly number[]): void {
    for (const t of times) {
      keyed.highest = Math.max(keyed.highest, t);
      this.highest = Math.max(this.highest, t);
    }
    this.raise(keyed);
    this.partitionWatermark = Math.max(this.partitionWatermark, this.highest - this.settings.outOfOrdernessMs);
    const moved = this.settings.watermark === "partition" ? this.keys : [keyed];
    for (const each of moved) this.fire(each, this.watermark(each), "watermark");
  }

  protected watermark(keyed: K): number {
    return this.settings.watermark === "partition" ? this.partitionWatermark : keyed.watermark;
  }

  private add(id: string): K {
    const keyed = this.create({
      id,
      lastSign: this.silence,
      lastOffset: this.source.offset,
      presence: "active",
      highest: -Infinity,
      watermark: -Infinity,
      settings: this.settings,
      finalUpTo: -Infinity,
    });
    this.keys = [...this.keys, keyed].sort((a, b) => Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
    return keyed;
  }

  protected writer(topic: string, key: string): (fields: object) => void {
    return (fields) => this.write(topic, key, fields);
  }

  protected write(topic: string, key: string, fields: object): void {
    const n = this.written[topic] ?? 0;
    this.written[topic] = n + 1;
    const id = `${this.log}/${this.source.partition}/${this.source.offset}/${n}`;
    const value = { id, schema: 1, [this.keyField]: key, ...fields };
    this.outputs.push({ topic, key, value, headers: this.carried() });
  }

  /** Headers that every output carries from the record that caused it. */
  private carried(): Record<string, string> {
    const { traceparent } = this.source.headers;
    return traceparent === undefined ? {} : { traceparent };
  }

  protected deadLetter(record: LogRecord, code: DeadLetterCode): void {
    const headers = {
      "error-code": code,
      "source-topic": this.log,
      "source-partition": `${record.partition}`,
      "source-offset": `${record.offset}`,
      ...this.carried(),
    };
    this.outputs.push({ topic: topics.deadLetter.name, key: record.key, value: record.value, headers });
  }
}

/** A partition of a pipeline, which writes to `outputs`. */
export type NewPartition = (settings: Semantics, override: Partial<Semantics>, outputs: Output[]) => Partition<Keyed>;

/**
 * The outputs that a log must have, in the order of production.
 *
 * @param settings Those of a log until its first settings record
 * @param override Settings that no record changes
 * @param flush End the time of all keys after the last record (`replay --flush`)
 */
export function runPartitions(
  create: NewPartition,
  log: readonly LogRecord[],
  settings: Semantics,
  flush: boolean,
  override: Partial<Semantics>,
): Run {
  const outputs: Output[] = [];
  const partitions = new Map<number, Partition<Keyed>>();
  for (const record of log) {
    const partition = partitions.get(record.partition) ?? create(settings, override, outputs);
    partitions.set(record.partition, partition);
    partition.step(record);
  }
  const ascending = [...partitions.entries()].sort(([a], [b]) => a - b);
  if (flush) for (const [, partition] of ascending) partition.flush();
  return { outputs, duplicates: ascending.reduce((total, [, partition]) => total + partition.duplicates, 0) };
}
