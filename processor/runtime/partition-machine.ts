import {
  CHANGE,
  CHANGE_HEADER,
  ERASE_HEADER,
  ERASED,
  EVENT_TIME_HEADER,
  readSettingsHeader,
  SETTINGS_HEADER,
  settingsHeader,
} from "../../domain/controls.ts";
import { MillraceError } from "../../domain/errors.ts";
import type { Cause } from "../../domain/records.ts";
import type { Semantics } from "../../domain/semantics.ts";
import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import { controlTypes, headers as headerNames } from "../../domain/topics.ts";
import { traceIdOf } from "../../domain/traceparent.ts";
import { admit } from "./admit.ts";
import { Counters } from "./counters.ts";
import { Emitter } from "./emitter.ts";
import type { KeyFacts, PartitionFacts } from "./facts.ts";
import { keyText, keyTextIn } from "./key-text.ts";
import { byKey, type KeyedState, PRESENCE } from "./keyed-state.ts";
import {
  type Failure,
  failureId,
  type Failures,
  type InputRecord,
  type MachineOrigin,
  type OutputRecord,
  StepFailed,
  type StateEntry,
  type StateMachine,
} from "./machine.ts";
import type { Message, Rejection } from "./message.ts";
import type { StepContext } from "./operator.ts";
import { hasSettings, PartitionState } from "./partition-state.ts";
import type { PartitionPipeline, Pipeline } from "./pipeline.ts";

/** Characters of a letter's name, `<topic>/<partition>/<offset>`; Kafka's topics have at most 249. */
const MAX_LETTER_NAME = 300;
/** Stands for a record without a value: no form of message. */
const NO_BYTES = new Uint8Array(0);

/** Where a machine's settings come from besides the log. */
export interface MachineSettings {
  /** The source topic's log, as ids name it. */
  readonly log: string;
  /** What a log without a `settings` record runs on. */
  readonly initial: Semantics;
  /** Overrides every `settings` record: the options of a replay. */
  readonly override: Partial<Semantics>;
  /**
   * The settings that a fingerprint from before settings stood in the log names.
   *
   * @throws MillraceError `settings-unknown`
   */
  before(fingerprint: string): Semantics;
}

/**
 * The state machine of one input partition. Everything that decides comes from the records; nothing here reads a clock,
 * a random number or the environment.
 *
 * A step takes one record, in this order, and numbers its outputs in this order (docs/semantics.md):
 *
 * 1. The partition clock moves: it is the highest record timestamp seen. Keys that still wait for their switch to the
 *    settings in force switch: those of the oldest settings first, in byte order, and the record's own key.
 * 2. Keys that have been silent for longer than the idle timeout go idle, the record's own key included: keys in byte
 *    order; of each key what is open fires. Keys that are silent for longer expire, then are forgotten.
 * 3. The record: decode, validate all of it, future guard, deduplicate, then the operators one after another. The
 *    watermark before the record decides what is late.
 * 4. The key's watermark moves, and what is due fires.
 *
 * What an operator emits may wait for the pipeline's asynchronous work: `settle` does that work and completes the
 * outputs. They keep the numbers that they got in their step.
 */
export class PartitionMachine implements StateMachine {
  readonly #pipeline: PartitionPipeline;
  readonly #override: Partial<Semantics>;
  readonly #failures: Failures;
  readonly #refused: MachineOrigin["refused"];
  /** The control record that was stepped last. */
  #lastControl: InputRecord | null = null;
  readonly #state: PartitionState;
  readonly #context: StepContext;
  readonly #out: Emitter;
  #whenSettled: (() => void)[] = [];
  /** What happened in this machine's steps, by metric. */
  readonly counters = new Counters();

  #nextOffset = 0;
  /** Keys that may still switch or go idle in this step. */
  #stepBudget = 0;
  /** With one watermark per partition: the lowest watermark at which some key has something due. */
  #dueAt: EpochMs = Infinity;

  /** @throws MillraceError when what was restored can't be read, or needs a model that can't be loaded. */
  static async create(pipeline: Pipeline, origin: MachineOrigin, settings: MachineSettings): Promise<PartitionMachine> {
    const machine = new PartitionMachine(pipeline, origin, settings);
    if (origin.restored) await machine.#restore(origin.restored);
    return machine;
  }

  private constructor(pipeline: Pipeline, origin: MachineOrigin, settings: MachineSettings) {
    this.#pipeline = pipeline.open();
    this.#override = settings.override;
    this.#failures = origin.failures;
    this.#refused = origin.refused;
    const { deadLetter } = pipeline;
    const isFromBefore = origin.before !== undefined && !(origin.restored && hasSettings(origin.restored));
    const initial = isFromBefore ? settings.before(origin.before!) : settings.initial;
    this.#state = new PartitionState(this.#pipeline, initial);
    const { maxOutputBytes } = initial;
    const { log } = settings;
    const out = { log, partition: origin.partition, deadLetter, maxOutputBytes, counters: this.counters };
    this.#out = new Emitter(out, origin.restored?.chain ?? null);
    this.#context = {
      out: this.#out,
      counters: this.counters,
      generations: this.#state.generations,
      markChanged: (keyed) => this.#state.markChanged(keyed),
      whenSettled: (work) => void this.#whenSettled.push(work),
    };
  }

  async #restore(restored: NonNullable<MachineOrigin["restored"]>): Promise<void> {
    await this.#state.restore(restored);
    this.#out.maxOutputBytes = this.settings.maxOutputBytes;
    this.#nextOffset = restored.nextOffset;
    for (const keyed of this.#state.keys.values()) this.#dueAt = Math.min(this.#dueAt, this.#dueAtOf(keyed));
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** Highest event time of an accepted message; -Infinity before the first. */
  get maxEventTime(): EpochMs {
    return this.#state.maxEventTime;
  }

  /** The partition's state, for people. */
  get facts(): PartitionFacts {
    return this.#state.facts;
  }

  /** A key's state, for people; null for a key that is not known (any more). Called directly after `settle`. */
  factsOf(key: string): KeyFacts | null {
    return this.#state.factsOf(key);
  }

  /** The settings in force. */
  get settings(): Semantics {
    return this.#state.regime.settings;
  }

  get mustSettle(): boolean {
    return this.#pipeline.asyncWork?.mustSettle ?? false;
  }

  get chain(): string {
    return this.#out.chain;
  }

  /** The partition clock less the newest watermark; 0 before the first reading. */
  get watermarkLagMs(): Milliseconds {
    const { clock, maxEventTime } = this.#state;
    return maxEventTime === -Infinity ? 0 : clock - (maxEventTime - this.settings.outOfOrdernessMs);
  }

  /** Keys in state, tombstones excluded. */
  get keyCount(): number {
    return this.#state.present;
  }

  step(record: InputRecord): void {
    const { offset } = record;
    if (offset < this.#nextOffset) throw new Error(`offset ${offset} was stepped already: next is ${this.#nextOffset}`);
    if (this.mustSettle) throw new Error(`settle before offset ${offset}: the step before it waits for that`);
    try {
      this.#out.begin(offset, record.headers);
      this.#state.moveClock(record.timestamp); // 1
      this.#stepBudget = this.settings.maxSensorsPerStep;
      this.#switchWaiting(record);
      this.#sweepSilent(record); // 2
      const failure = isControl(record, controlTypes.model) ? undefined : this.#failureOf(offset, null);
      if (failure) this.#reject(record, { code: "processing-failed", message: failure.message });
      else this.#take(record);
    } catch (error) {
      if (error instanceof MillraceError && error.code === "control-unknown") throw error;
      const failed = error instanceof StepFailed ? error : new StepFailed(offset, error);
      failed.traceId = traceIdOf(record.headers[headerNames.traceparent]);
      throw failed;
    }
    this.#nextOffset = offset + 1;
  }

  #failureOf(offset: number, key: string | null): Failure | undefined {
    return this.#failures.size === 0 ? undefined : this.#failures.get(failureId({ offset, key }));
  }

  async settle(): Promise<readonly OutputRecord[]> {
    const refusal = (await this.#pipeline.asyncWork?.settle()) ?? null;
    if (refusal !== null) this.#refuse(this.#lastControl!, refusal);
    const work = this.#whenSettled;
    if (work.length > 0) {
      this.#whenSettled = [];
      for (const complete of work) complete();
    }
    return this.#out.take();
  }

  #refuse(record: InputRecord, message: string): void {
    this.#refused?.({ offset: record.offset, key: null, message });
    this.#reject(record, { code: "model-refused", message });
  }

  flush(): void {
    for (const keyed of [...this.#state.keys.values()].sort(byKey)) {
      if (keyed.presence === PRESENCE.expired) continue;
      this.#fireAll(keyed, Infinity, "end-of-input");
      this.#state.markChanged(keyed);
    }
  }

  /**
   * Keys that wait for it switch to the settings in force: as many as a step may, and the record's own key, so that no
   * record meets older settings.
   */
  #switchWaiting(record: InputRecord): void {
    if (!this.#state.isSwitching) return;
    const { offset } = record;
    const taken = this.#state.takeWaiting(this.#stepBudget);
    this.#stepBudget -= taken.length;
    for (const keyed of taken) this.#switch(keyed, offset);
    const own = this.#state.keys.get(keyOf(record));
    if (own && this.#state.waits(own)) this.#switch(own, offset);
    this.#state.endRegimes();
  }

  /**
   * Puts a key under the settings in force. What was not told as it is fires, and is final. Operators that keep neither
   * windows nor sessions continue.
   */
  #switch(keyed: KeyedState, offset: number): void {
    const before = keyed.regime!.topology.operators;
    this.#endOpen(keyed, offset, "settings");
    // Unless our own code threw: the key has begun anew then.
    if (!this.#state.waits(keyed)) return;
    const states = keyed.operatorStates;
    this.#makeFinal(keyed, offset);
    this.#state.regime.topology.operators.forEach((operator, i) => {
      const at = before.findIndex(({ name }) => name === operator.name);
      if (at >= 0 && operator.adopt) keyed.operatorStates[i] = operator.adopt(states[at]);
    });
  }

  /** Releases what waits and fires what is open: the next reading begins anew. */
  #endOpen(keyed: KeyedState, offset: number, cause: Cause): void {
    this.#fireAside(keyed, offset, Infinity, cause);
    keyed.regime?.topology.operators.forEach((operator, i) => operator.idle?.(keyed.operatorStates[i]));
  }

  /** 2. Keys that have been silent for too long go idle, expire, or are forgotten. */
  #sweepSilent(record: InputRecord): void {
    const { offset } = record;
    const { idleTimeoutMs, expiryMs, tombstoneMs } = this.settings;
    const { silence, silenceClock, silent } = this.#state;
    const found = silence[PRESENCE.active].takeSeenBefore(silenceClock - idleTimeoutMs);
    if (found.length > 0) for (const keyed of found.toSorted(byKey)) this.#state.becomeSilent(keyed, offset);
    if (silent.length > 0) this.#sweepWaiting(record);
    const gone = silence[PRESENCE.idle].takeSeenBefore(silenceClock - expiryMs);
    for (let i = 0; i < gone.length; i++) this.#expire(gone[i]!, offset);
    const over = silence[PRESENCE.expired].takeSeenBefore(silenceClock - expiryMs - tombstoneMs);
    for (let i = 0; i < over.length; i++) this.#state.forget(over[i]!);
  }

  /** Of the silent keys, as many as a step may go idle, and the record's own. */
  #sweepWaiting(record: InputRecord): void {
    const { offset } = record;
    const { silent, keys } = this.#state;
    const first = silent.splice(0, this.#stepBudget);
    this.#stepBudget -= first.length;
    for (const keyed of first) this.#goIdle(keyed, offset);
    if (silent.length === 0) return;
    const own = keys.get(keyOf(record));
    if (own?.presence !== PRESENCE.silent) return;
    this.#state.takeOut(own);
    this.#goIdle(own, offset);
  }

  /** What a silent key, which is in no list, has open fires. */
  #goIdle(keyed: KeyedState, offset: number): void {
    this.#endOpen(keyed, offset, "idle");
    this.#state.become(keyed, PRESENCE.idle);
  }

  /** A key that is in no list leaves its tombstone. */
  #expire(keyed: KeyedState, offset: number): void {
    this.#makeFinal(keyed, offset);
    keyed.regime = null;
    keyed.operatorStates = [];
    this.#state.become(keyed, PRESENCE.expired);
  }

  /** Fires a key that the record at hand is not of. If our own code throws, that key's state alone is lost. */
  #fireAside(keyed: KeyedState, offset: number, upTo: EpochMs, cause: Cause): void {
    const failure = this.#failureOf(offset, keyed.key);
    if (failure) {
      this.#makeFinal(keyed, offset);
      const source = { key: Buffer.from(keyed.key), value: null, headers: {} };
      return this.#out.deadLetter(source, "state-failed", failure.message);
    }
    try {
      this.#fireAll(keyed, upTo, cause);
    } catch (error) {
      throw new StepFailed(offset, error, keyed.key);
    }
  }

  /** Makes room for a key just seen: the longest silent expires early, and the oldest tombstone is forgotten. */
  #makeRoom(offset: number): void {
    const { maxKeys } = this.#state.regime.topology;
    while (this.#state.present > maxKeys) {
      const longest = this.#state.longestSilent()!;
      this.#state.takeOut(longest);
      if (longest.presence !== PRESENCE.idle) {
        this.#goIdle(longest, offset);
        this.#state.takeOut(longest);
      }
      this.#expire(longest, offset);
      this.counters.add("processor.expired-early");
    }
    const tombstones = this.#state.silence[PRESENCE.expired];
    while (tombstones.size > maxKeys) {
      const oldest = tombstones.first!;
      tombstones.remove(oldest);
      this.#state.forget(oldest);
      this.counters.add("processor.expired-early");
    }
  }

  /** Drops what the operators know of a key. What was told of it is final: what begins later begins anew. */
  #makeFinal(keyed: KeyedState, offset: number): void {
    keyed.life = offset;
    keyed.finalUpTo = keyed.maxEventTime;
    keyed.regime?.topology.operators.forEach((operator, i) => operator.drop?.(keyed.operatorStates[i], this.#context));
    this.#state.beginAnew(keyed);
    this.#state.markChanged(keyed);
  }

  /** Whether the record is a dead letter that was sent in again, and that was taken before. */
  #isTaken({ headers }: InputRecord): boolean {
    const letter = headers[headerNames.reinjectedFrom];
    if (letter === undefined || letter.length > MAX_LETTER_NAME) return false;
    if (this.#state.reinjected.has(letter)) return true;
    this.#state.reinjected.add(letter);
    return false;
  }

  /** 3. The record. */
  #take(record: InputRecord): void {
    if (hasNeither(record)) return this.#control(record);
    if (this.#isTaken(record)) return;
    const { topology } = this.#state.regime;
    const { message, deduplication } = topology;
    const key = keyOf(record);
    const rejection = topology.decode(key, record.value ?? NO_BYTES, record.headers, message);
    if (rejection) return this.#reject(record, rejection);
    const known = this.#state.keys.get(key) ?? null;
    const watermark = known === null ? -Infinity : this.#state.watermark(known);
    const admission = admit(message, known, watermark, record.timestamp, this.settings, deduplication);
    if (admission !== "new" && admission !== "duplicate") return this.#reject(record, admission);
    const keyed = known ?? this.#state.create(key, record.offset);
    if (keyed.regime === null) this.#state.beginAnew(keyed);
    this.#state.sawLife(keyed, record.offset);
    this.#makeRoom(record.offset);
    if (admission === "new") this.#apply(keyed, message, record.offset);
    else this.counters.add("processor.duplicates");
  }

  #control(record: InputRecord): void {
    const type = record.headers[headerNames.type];
    if (type === undefined || type === controlTypes.tick) return;
    if (type === ERASED) return this.#takeErased(record);
    this.#lastControl = record;
    const { controls } = this.#pipeline;
    const isSettings = type === controlTypes.settings;
    if (!isSettings && !Object.hasOwn(controls, type)) throw unknownControl(type, record.offset);
    const change = record.headers[CHANGE_HEADER];
    if (change !== undefined && !CHANGE.test(change)) return this.#reject(record, invalidChange(change));
    if (change !== undefined && this.#state.changes.has(change)) return;
    const refused = this.#failureOf(record.offset, null);
    if (refused) this.#reject(record, { code: "model-refused", message: refused.message });
    const rejection = refused ? null : isSettings ? this.#takeSettings(record) : controls[type]!(record.headers);
    if (!rejection && type === controlTypes.erase) this.#state.erase(record.headers[ERASE_HEADER]!, this.#context);
    if (rejection) this.#reject(record, rejection);
    else if (change !== undefined) this.#state.changes.add(change);
  }

  /** Takes a `settings` record: keys switch, the first ones in this step. Gives null when it was taken. */
  #takeSettings(record: InputRecord): Rejection | null {
    const read = readSettingsHeader(record.headers[SETTINGS_HEADER]);
    if (!read.settings) return invalidSettings(read.problems);
    const next = { ...read.settings, ...this.#override };
    const { watermark } = this.settings;
    if (next.watermark !== watermark && this.#state.maxEventTime !== -Infinity) {
      const scopes = `it is ${watermark}, and ${next.watermark} was received`;
      return invalidSettings([`watermark can't be changed once there are readings: ${scopes}`]);
    }
    if (settingsHeader(next) === settingsHeader(this.settings)) return null;
    this.counters.add("processor.settings-changes");
    this.#state.begin(next);
    this.#out.maxOutputBytes = next.maxOutputBytes;
    this.#switchWaiting(record);
    return null;
  }

  /** What is left of an erased record: where the watermark is the partition's, it moves it as the record did. */
  #takeErased({ offset, headers }: InputRecord): void {
    const eventTime = Number(headers[EVENT_TIME_HEADER]);
    if (this.settings.watermark !== "partition" || !(eventTime > this.#state.maxEventTime)) return;
    this.#state.raisePartitionTime(eventTime);
    this.#firePartition(null, offset);
  }

  #apply(keyed: KeyedState, message: Message, offset: number): void {
    const { operators, deduplication } = this.#state.regime.topology;
    const watermark = this.#state.watermark(keyed);
    this.counters.add("processor.readings", message.rows);
    for (let i = 0; i < operators.length; i++) {
      operators[i]!.apply(keyed.operatorStates[i], keyed, message, watermark, this.#context);
    }
    deduplication.add(keyed.seen, message);
    const { lastTime } = message;
    if (lastTime > keyed.maxEventTime) keyed.maxEventTime = lastTime;
    if (lastTime > this.#state.maxEventTime) this.#state.maxEventTime = lastTime;
    this.#state.raiseWatermarks(keyed);
    this.#fireDue(keyed, offset);
  }

  /** 4. The watermark has moved: what is due fires. */
  #fireDue(keyed: KeyedState, offset: number): void {
    if (this.settings.watermark === "sensor") {
      return this.#fireAll(keyed, this.#state.watermark(keyed), "watermark");
    }
    this.#dueAt = Math.min(this.#dueAt, this.#dueAtOf(keyed));
    this.#firePartition(keyed, offset);
  }

  /** Fires what is due by the partition's watermark; `keyed`: the record's own key. */
  #firePartition(keyed: KeyedState | null, offset: number): void {
    const watermark = this.#state.partitionWatermark;
    if (watermark < this.#dueAt) return;
    this.#dueAt = Infinity;
    for (const one of [...this.#state.keys.values()].sort(byKey)) {
      if (this.#dueAtOf(one) <= watermark) {
        if (one === keyed) this.#fireAll(one, watermark, "watermark");
        else this.#fireAside(one, offset, watermark, "watermark");
        this.#state.markChanged(one);
      }
      this.#dueAt = Math.min(this.#dueAt, this.#dueAtOf(one));
    }
  }

  /** Fires a key that is not expired. */
  #fireAll(keyed: KeyedState, upTo: EpochMs, cause: Cause): void {
    const { operators } = keyed.regime!.topology;
    for (let i = 0; i < operators.length; i++) {
      operators[i]!.release?.(keyed.operatorStates[i], keyed, upTo, this.#context);
    }
    const watermark = this.#state.watermark(keyed);
    for (let i = 0; i < operators.length; i++) {
      operators[i]!.fire?.(keyed.operatorStates[i], keyed, upTo, watermark, cause, this.#context);
    }
  }

  #dueAtOf(keyed: KeyedState): EpochMs {
    const operators = keyed.regime?.topology.operators ?? [];
    let first = Infinity;
    for (let i = 0; i < operators.length; i++) {
      first = Math.min(first, operators[i]!.dueAt?.(keyed.operatorStates[i]) ?? Infinity);
    }
    return first;
  }

  #reject(record: InputRecord, { code, message }: Rejection): void {
    this.#out.deadLetter(record, code, message);
  }

  encodeChanges(generation: number, take: (entry: StateEntry) => void): void {
    this.#state.encodeChanges(generation, take);
  }

  liveGenerations(): number[] {
    return this.#state.generations.live();
  }

  rewriteUpTo(generation: number): void {
    this.#state.rewriteUpTo(generation);
  }
}

function invalidSettings(problems: readonly string[]): Rejection {
  return { code: "invalid-message", message: `the settings are not taken: ${problems.join("; ")}` };
}

function invalidChange(change: string): Rejection {
  const expected = "1 to 128 printable ASCII characters are expected";
  return { code: "invalid-message", message: `the header ${CHANGE_HEADER} is ${JSON.stringify(change)}; ${expected}` };
}

function unknownControl(type: string, offset: number): MillraceError {
  return new MillraceError(
    "control-unknown",
    `the record at offset ${offset} is a control record of type ${JSON.stringify(type)}, which this version does not ` +
      "know. Run the version that appended it.",
  );
}

function isControl(record: InputRecord, type: string): boolean {
  return hasNeither(record) && record.headers[headerNames.type] === type;
}

/** Whether a record has neither a key nor a value. */
function hasNeither(record: InputRecord): boolean {
  if (record.memory === undefined) return record.key === null && record.value === null;
  return record.keyFrom === -1 && record.valueFrom === -1;
}

/** A record's key as text; empty for none. */
function keyOf(record: InputRecord): string {
  const { memory, keyFrom = -1 } = record;
  if (memory !== undefined) return keyFrom < 0 ? "" : keyTextIn(memory, keyFrom, record.keyTo!);
  return record.key === null ? "" : keyText(record.key);
}
