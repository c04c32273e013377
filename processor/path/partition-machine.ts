import { MillraceError } from "../../domain/errors.ts";
import { MAX_SILENCE_PER_STEP } from "../../domain/imu.ts";
import type { Cause } from "../../domain/records.ts";
import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import { controlTypes, headers as headerNames } from "../../domain/topics.ts";
import { Reader, Writer } from "../state/codec.ts";
import { Generations, type Stamped } from "../state/generations.ts";
import { byKey, Keyed, PRESENCE, SilenceList } from "../state/keyed.ts";
import { Sequences } from "../state/sequences.ts";
import { MODEL_HEADER, modelControl } from "../../domain/models.ts";
import { Scoring, type ScoringPorts } from "../inference/scoring.ts";
import { admit } from "./admit.ts";
import { Emitter } from "./emitter.ts";
import { type InputRecord, type MachineOrigin, type OutputRecord, StepFailed, type StateEntry, type StateMachine } from "./machine.ts";
import { Message, type Rejection } from "./message.ts";
import type { Pipeline } from "./pipeline.ts";
import type { Figures, Station, StepContext } from "./station.ts";

/** Layout of the entries that this file writes itself. */
const TASK_LAYOUT = 1;
const KEYED_LAYOUT = 1;
export const TASK_ENTRY = "task";
export const KEYED_PREFIX = "key/";

const utf8 = new TextDecoder();
/** What a record without a value holds: no form of message. */
const NO_BYTES = new Uint8Array(0);

/**
 * One input partition's state machine: DESIGN section 3, "A step". Everything that decides comes from the records;
 * nothing here reads a clock, a random number or the environment.
 */
export class PartitionMachine implements StateMachine {
  readonly #pipeline: Pipeline;
  readonly #failedOffsets: ReadonlyMap<number, string>;
  readonly #partition: number;
  readonly #stations: readonly Station[];
  readonly #message: Message;
  readonly #context: StepContext;
  readonly #out: Emitter;
  readonly #generations = new Generations();
  readonly #scoring: Scoring;
  readonly figures: Figures = { readings: 0, duplicates: 0, deadLetters: 0, lateReadings: 0, windows: 0, sessionsStarted: 0, sessionsEnded: 0, inferences: 0 };

  #nextOffset = 0;
  /** The partition clock: the highest record timestamp seen. */
  #clock: EpochMs = -Infinity;
  /** The partition clock's advance so far, where one step counts for at most MAX_SILENCE_PER_STEP. */
  #silenceClock: Milliseconds = 0;
  /** Highest event time of the partition. */
  #maxEventTime: EpochMs = -Infinity;
  /** With one watermark per partition: the lowest at which some key has something due. */
  #dueAt: EpochMs = Infinity;
  readonly #keys = new Map<string, Keyed>();
  readonly #silence = [new SilenceList(), new SilenceList(), new SilenceList()] as const;
  #changed: Keyed[] = [];
  readonly #task: Stamped = { generation: -1, changed: true };

  /** @throws MillraceError when what was restored can't be read, or needs a model that can't be loaded. */
  static async create(pipeline: Pipeline, scoring: ScoringPorts, origin: MachineOrigin): Promise<PartitionMachine> {
    const machine = new PartitionMachine(pipeline, scoring, origin);
    if (origin.restored) await machine.#restore(origin.restored);
    return machine;
  }

  private constructor(pipeline: Pipeline, scoring: ScoringPorts, origin: MachineOrigin) {
    this.#pipeline = pipeline;
    this.#partition = origin.partition;
    this.#failedOffsets = origin.failedOffsets;
    this.#stations = pipeline.stations();
    this.#message = new Message(pipeline.width);
    this.#out = new Emitter(pipeline.source, origin.partition, origin.restored?.chain ?? null);
    this.#scoring = new Scoring(scoring);
    this.#context = { out: this.#out, figures: this.figures, generations: this.#generations, scoring: this.#scoring };
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  get mustSettle(): boolean {
    return this.#scoring.mustSettle;
  }

  get chain(): string {
    return this.#out.chain;
  }

  /** The partition clock less the newest watermark; 0 before the first reading. */
  get watermarkLagMs(): Milliseconds {
    return this.#maxEventTime === -Infinity ? 0 : this.#clock - (this.#maxEventTime - this.#pipeline.limits.outOfOrdernessMs);
  }

  /** Keys in state, tombstones excluded. */
  get keyCount(): number {
    return this.#silence[PRESENCE.active].size + this.#silence[PRESENCE.idle].size;
  }

  step(record: InputRecord): void {
    if (record.offset < this.#nextOffset) throw new Error(`offset ${record.offset} was stepped already: next is ${this.#nextOffset}`);
    if (this.mustSettle) throw new Error(`settle before offset ${record.offset}: the record before it assigned a model`);
    try {
      this.#out.begin(record.offset, record.headers[headerNames.traceparent]);
      this.#moveClock(record.timestamp);
      const failure = this.#failedOffsets.get(record.offset);
      if (failure === undefined) {
        this.#sweepSilent(record.offset);
        this.#take(record);
      } else {
        this.#deadLetter(record, { code: "processing-failed", message: failure });
      }
    } catch (error) {
      throw new StepFailed(record.offset, error);
    }
    this.#nextOffset = record.offset + 1;
  }

  async settle(): Promise<readonly OutputRecord[]> {
    await this.#scoring.settle();
    return this.#out.take();
  }

  flush(): void {
    for (const keyed of [...this.#keys.values()].sort(byKey)) {
      if (keyed.presence === PRESENCE.expired) continue;
      this.#fireAll(keyed, Infinity, "end-of-input");
      this.#markChanged(keyed);
    }
  }

  /** 1. The partition clock moves. */
  #moveClock(timestamp: EpochMs): void {
    if (timestamp <= this.#clock) return;
    if (this.#clock !== -Infinity) this.#silenceClock += Math.min(timestamp - this.#clock, MAX_SILENCE_PER_STEP);
    this.#clock = timestamp;
  }

  /** 2. Who has been silent for too long goes idle, expires, or is forgotten. */
  #sweepSilent(offset: number): void {
    const { idleTimeoutMs, expiryMs, tombstoneMs } = this.#pipeline.limits;
    const [active, idle, expired] = this.#silence;
    const silent = active.takeSeenBefore(this.#silenceClock - idleTimeoutMs);
    for (const keyed of silent.toSorted(byKey)) {
      this.#fireAll(keyed, Infinity, "idle");
      this.#stations.forEach((station, i) => station.idle?.(keyed.slots[i]));
    }
    for (const keyed of silent) this.#become(keyed, PRESENCE.idle);
    for (const keyed of idle.takeSeenBefore(this.#silenceClock - expiryMs)) {
      this.#dropSlots(keyed, offset);
      this.#become(keyed, PRESENCE.expired);
    }
    for (const keyed of expired.takeSeenBefore(this.#silenceClock - expiryMs - tombstoneMs)) {
      this.#keys.delete(keyed.key);
      this.#generations.forget(keyed);
    }
  }

  #become(keyed: Keyed, presence: Keyed["presence"]): void {
    keyed.presence = presence;
    this.#silence[presence].append(keyed);
    this.#markChanged(keyed);
  }

  #dropSlots(keyed: Keyed, offset: number): void {
    keyed.life = offset;
    this.#stations.forEach((station, i) => {
      station.drop?.(keyed.slots[i], this.#context);
      keyed.slots[i] = station.create();
    });
  }

  /** 3. The record. */
  #take(record: InputRecord): void {
    if (record.key === null && record.value === null) {
      return this.#control(record);
    }
    const message = this.#message;
    const key = record.key === null ? "" : keyText(record.key);
    const rejection = this.#pipeline.decode(key, record.value ?? NO_BYTES, record.headers, message);
    if (rejection) return this.#deadLetter(record, rejection);
    const known = this.#keys.get(key) ?? null;
    const admission = admit(message, known, record.timestamp, this.#pipeline.limits);
    if (admission === "new") this.#apply(known ?? this.#create(key, record.offset), message);
    else if (admission === "duplicate") {
      this.figures.duplicates++;
      this.#sawLife(known!);
    } else this.#deadLetter(record, admission);
  }

  #control(record: InputRecord): void {
    const type = record.headers[headerNames.type];
    if (type === undefined || type === controlTypes.tick) return;
    if (type !== controlTypes.model) return this.#deadLetter(record, { code: "invalid-message", message: `a control record of type ${JSON.stringify(type)} is not known; known are ${Object.keys(controlTypes).join(", ")}` });
    const control = modelControl.safeParse(parsed(record.headers[MODEL_HEADER]));
    if (control.success) return this.#scoring.control(control.data);
    this.#deadLetter(record, { code: "invalid-message", message: `the header ${MODEL_HEADER} of a model record is ${record.headers[MODEL_HEADER]}: ${control.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`).join("; ")}` });
  }

  #create(key: string, offset: number): Keyed {
    const keyed = new Keyed(key, offset, this.#stations.map((station) => station.create()));
    keyed.lastSeen = this.#silenceClock;
    this.#keys.set(key, keyed);
    this.#silence[PRESENCE.active].append(keyed);
    return keyed;
  }

  #sawLife(keyed: Keyed): void {
    this.#markChanged(keyed);
    if (keyed.presence === PRESENCE.active && keyed.lastSeen === this.#silenceClock) return;
    this.#silence[keyed.presence].remove(keyed);
    keyed.lastSeen = this.#silenceClock;
    this.#become(keyed, PRESENCE.active);
  }

  #apply(keyed: Keyed, message: Message): void {
    const { limits } = this.#pipeline;
    const stations = this.#stations;
    const watermark = this.#watermark(keyed);
    this.figures.readings += message.rows;
    this.#sawLife(keyed);
    for (let i = 0; i < stations.length; i++) stations[i]!.apply(keyed.slots[i], keyed, message, watermark, this.#context);
    const { lastTime } = message;
    keyed.sequences.add(message.boot, message.seq, lastTime, limits);
    if (lastTime > keyed.maxEventTime) keyed.maxEventTime = lastTime;
    if (lastTime > this.#maxEventTime) this.#maxEventTime = lastTime;
    this.#fireDue(keyed);
  }

  /** 4. The watermark has moved: what is due fires. */
  #fireDue(keyed: Keyed): void {
    const watermark = this.#watermark(keyed);
    if (this.#pipeline.limits.watermark === "sensor") return this.#fireAll(keyed, watermark, "watermark");
    this.#dueAt = Math.min(this.#dueAt, this.#dueAtOf(keyed));
    if (watermark < this.#dueAt) return;
    this.#dueAt = Infinity;
    for (const one of [...this.#keys.values()].sort(byKey)) {
      if (this.#dueAtOf(one) <= watermark) {
        this.#fireAll(one, watermark, "watermark");
        this.#markChanged(one);
      }
      this.#dueAt = Math.min(this.#dueAt, this.#dueAtOf(one));
    }
  }

  #fireAll(keyed: Keyed, upTo: EpochMs, cause: Cause): void {
    const stations = this.#stations;
    for (let i = 0; i < stations.length; i++) stations[i]!.release?.(keyed.slots[i], keyed, upTo, this.#context);
    const watermark = this.#watermark(keyed);
    for (let i = 0; i < stations.length; i++) stations[i]!.fire?.(keyed.slots[i], keyed, upTo, watermark, cause, this.#context);
  }

  #watermark(keyed: Keyed): EpochMs {
    const { limits } = this.#pipeline;
    return (limits.watermark === "sensor" ? keyed.maxEventTime : this.#maxEventTime) - limits.outOfOrdernessMs;
  }

  #dueAtOf(keyed: Keyed): EpochMs {
    return this.#stations.reduce((first, station, i) => Math.min(first, station.dueAt?.(keyed.slots[i]) ?? Infinity), Infinity);
  }

  #deadLetter(record: InputRecord, { code, message }: Rejection): void {
    this.figures.deadLetters++;
    this.#out.verbatim(this.#pipeline.deadLetter, record.key, record.value, {
      ...record.headers,
      [headerNames.errorCode]: code,
      [headerNames.errorMessage]: message,
      [headerNames.stage]: "processor",
      [headerNames.sourceTopic]: this.#pipeline.source,
      [headerNames.sourcePartition]: String(this.#partition),
      [headerNames.sourceOffset]: String(record.offset),
    });
  }

  #markChanged(keyed: Keyed): void {
    if (keyed.changed) return;
    keyed.changed = true;
    this.#changed.push(keyed);
  }

  encodeChanges(generation: number, take: (entry: StateEntry) => void): void {
    const writer = new Writer();
    writer.u8(TASK_LAYOUT);
    for (const value of [this.#clock, this.#silenceClock, this.#maxEventTime]) writer.f64(value);
    writer.text(this.#scoring.encode());
    this.#generations.stamp(this.#task, generation);
    take({ key: TASK_ENTRY, value: writer.take() });
    for (const keyed of this.#changed) {
      if (this.#keys.get(keyed.key) !== keyed) continue;
      this.#generations.stamp(keyed, generation);
      this.#encodeKeyed(keyed, writer);
      take({ key: KEYED_PREFIX + keyed.key, value: writer.take() });
    }
    this.#changed = [];
    for (const station of this.#stations) {
      station.items?.encodeChanges(generation, this.#generations, (entry) => take({ key: `${station.name}/${entry.key}`, value: Buffer.concat([Uint8Array.of(station.layout), entry.value]) }));
    }
  }

  #encodeKeyed(keyed: Keyed, writer: Writer): void {
    writer.u8(KEYED_LAYOUT);
    writer.f64(keyed.life);
    writer.f64(keyed.maxEventTime);
    writer.f64(keyed.lastSeen);
    writer.u8(keyed.presence);
    writer.section(() => keyed.sequences.encode(writer));
    writer.u8(this.#stations.length);
    this.#stations.forEach((station, i) => {
      writer.text(station.name);
      writer.u8(station.layout);
      writer.section(() => station.encode(keyed.slots[i], writer));
    });
  }

  async #restore(restored: NonNullable<MachineOrigin["restored"]>): Promise<void> {
    this.#nextOffset = restored.nextOffset;
    const newest = new Map<string, { generation: number; value: Uint8Array }>();
    for (const { key, generation, value } of restored.entries) newest.set(key, { generation, value });
    const task = newest.get(TASK_ENTRY);
    if (!task) throw new MillraceError("snapshot-corrupt", `the snapshot at offset ${restored.nextOffset} has no task entry. Run \`npm run recover\`.`);
    const reader = new Reader(task.value);
    knownLayout("task", reader.u8(), TASK_LAYOUT);
    this.#clock = reader.f64();
    this.#silenceClock = reader.f64();
    this.#maxEventTime = reader.f64();
    await this.#scoring.restore(reader.text());
    this.#generations.stamp(this.#task, task.generation);
    for (const [key, { generation, value }] of newest) if (key.startsWith(KEYED_PREFIX)) this.#restoreKeyed(key.slice(KEYED_PREFIX.length), generation, new Reader(value));
    for (const keyed of [...this.#keys.values()].sort((a, b) => a.lastSeen - b.lastSeen)) this.#silence[keyed.presence].append(keyed);
    this.#stations.forEach((station, i) => {
      if (station.items) for (const [key, { generation, value }] of newest) if (key.startsWith(`${station.name}/`)) this.#restoreItem(station, i, key, generation, value);
    });
    for (const keyed of this.#keys.values()) this.#dueAt = Math.min(this.#dueAt, this.#dueAtOf(keyed));
  }

  #restoreKeyed(key: string, generation: number, reader: Reader): void {
    knownLayout("key", reader.u8(), KEYED_LAYOUT);
    const keyed = new Keyed(key, reader.f64(), []);
    keyed.maxEventTime = reader.f64();
    keyed.lastSeen = reader.f64();
    keyed.presence = reader.u8() as Keyed["presence"];
    const { expiryMs, tombstoneMs } = this.#pipeline.limits;
    if (this.#silenceClock - keyed.lastSeen > expiryMs + tombstoneMs) return;
    keyed.sequences = Sequences.decode(reader.section());
    const written = new Map<string, { layout: number; section: Reader }>();
    for (let count = reader.u8(); count > 0; count--) written.set(reader.text(), { layout: reader.u8(), section: reader.section() });
    keyed.slots = this.#stations.map((station) => {
      const state = written.get(station.name);
      written.delete(station.name);
      if (!state) return station.create();
      knownLayout(station.name, state.layout, station.layout);
      return station.decode(state.section, state.layout, (key) => this.#scoring.modelByKey(key));
    });
    if (written.size > 0) throw new MillraceError("state-layout-unknown", `the snapshot holds state of stations that this pipeline does not have: ${[...written.keys()].join(", ")}. Run \`npm run recover\`.`);
    this.#keys.set(key, keyed);
    this.#generations.stamp(keyed, generation);
  }

  #restoreItem(station: Station, index: number, entryKey: string, generation: number, value: Uint8Array): void {
    const keyed = this.#keys.get(entryKey.slice(station.name.length + 1, entryKey.lastIndexOf("/")));
    if (!keyed || keyed.presence === PRESENCE.expired) return;
    knownLayout(station.name, value[0]!, station.layout);
    station.items!.restore(keyed.slots[index], keyed, new Reader(value.subarray(1)), this.#watermark(keyed), generation, this.#generations);
  }

  liveGenerations(): number[] {
    return this.#generations.live();
  }

  rewriteUpTo(generation: number): void {
    for (const keyed of this.#keys.values()) {
      if (keyed.generation <= generation) this.#markChanged(keyed);
      this.#stations.forEach((station, i) => station.items?.rewriteUpTo(keyed.slots[i], generation));
    }
  }
}

/** JSON, or undefined. */
function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

function knownLayout(what: string, written: number, known: number): void {
  if (written >= 1 && written <= known) return;
  throw new MillraceError("state-layout-unknown", `the snapshot's state of ${what} has layout ${written}; this version reads 1 to ${known}. Run the version that wrote it, or \`npm run recover\`.`);
}

/** Keys are ASCII when they are valid; text decoding is for the message that says that one is not. */
function keyText(key: Uint8Array): string {
  return Buffer.isBuffer(key) ? key.toString("utf8") : utf8.decode(key);
}
