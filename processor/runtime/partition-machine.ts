import type { Cause } from "../../domain/records.ts";
import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import { controlTypes, headers as headerNames } from "../../domain/topics.ts";
import { admit } from "./admit.ts";
import { Counters } from "./counters.ts";
import { Emitter } from "./emitter.ts";
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
import { PartitionState } from "./partition-state.ts";
import type { Pipeline, Topology } from "./pipeline.ts";

const utf8 = new TextDecoder();
/** Stands for a record without a value: no form of message. */
const NO_BYTES = new Uint8Array(0);

/**
 * The state machine of one input partition. Everything that decides comes from the records; nothing here reads a clock,
 * a random number or the environment.
 *
 * A step takes one record, in this order, and numbers its outputs in this order (docs/semantics.md):
 *
 * 1. The partition clock moves: it is the highest record timestamp seen.
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
  readonly #pipeline: Pipeline;
  readonly #topology: Topology;
  readonly #failures: Failures;
  readonly #state: PartitionState;
  readonly #context: StepContext;
  readonly #out: Emitter;
  #whenSettled: (() => void)[] = [];
  /** What happened in this machine's steps, by metric. */
  readonly counters = new Counters();

  #nextOffset = 0;
  /** With one watermark per partition: the lowest watermark at which some key has something due. */
  #dueAt: EpochMs = Infinity;

  /** @throws MillraceError when what was restored can't be read, or needs a model that can't be loaded. */
  static async create(pipeline: Pipeline, origin: MachineOrigin): Promise<PartitionMachine> {
    const machine = new PartitionMachine(pipeline, origin);
    if (origin.restored) await machine.#restore(origin.restored);
    return machine;
  }

  private constructor(pipeline: Pipeline, origin: MachineOrigin) {
    this.#pipeline = pipeline;
    this.#topology = pipeline.build();
    this.#failures = origin.failures;
    const { source, deadLetter, limits } = pipeline;
    this.#out = new Emitter(
      {
        source,
        partition: origin.partition,
        deadLetter,
        maxOutputBytes: limits.maxOutputBytes,
        counters: this.counters,
      },
      origin.restored?.chain ?? null,
    );
    this.#state = new PartitionState(pipeline.limits, this.#topology);
    this.#context = {
      out: this.#out,
      counters: this.counters,
      generations: this.#state.generations,
      whenSettled: (work) => void this.#whenSettled.push(work),
    };
  }

  async #restore(restored: NonNullable<MachineOrigin["restored"]>): Promise<void> {
    await this.#state.restore(restored);
    this.#nextOffset = restored.nextOffset;
    for (const keyed of this.#state.keys.values()) this.#dueAt = Math.min(this.#dueAt, this.#dueAtOf(keyed));
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  get mustSettle(): boolean {
    return this.#topology.asyncWork?.mustSettle ?? false;
  }

  get chain(): string {
    return this.#out.chain;
  }

  /** The partition clock less the newest watermark; 0 before the first reading. */
  get watermarkLagMs(): Milliseconds {
    const { clock, maxEventTime } = this.#state;
    return maxEventTime === -Infinity ? 0 : clock - (maxEventTime - this.#pipeline.limits.outOfOrdernessMs);
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
      this.#out.begin(offset, record.headers[headerNames.traceparent]);
      this.#state.moveClock(record.timestamp); // 1
      this.#sweepSilent(record); // 2
      const failure = this.#failureOf(offset, null);
      if (failure) this.#out.deadLetter(record, "processing-failed", failure.message);
      else this.#take(record);
    } catch (error) {
      throw error instanceof StepFailed ? error : new StepFailed(offset, error);
    }
    this.#nextOffset = offset + 1;
  }

  #failureOf(offset: number, key: string | null): Failure | undefined {
    return this.#failures.size === 0 ? undefined : this.#failures.get(failureId({ offset, key }));
  }

  async settle(): Promise<readonly OutputRecord[]> {
    await this.#topology.asyncWork?.settle();
    const work = this.#whenSettled;
    if (work.length > 0) {
      this.#whenSettled = [];
      for (const complete of work) complete();
    }
    return this.#out.take();
  }

  flush(): void {
    for (const keyed of [...this.#state.keys.values()].sort(byKey)) {
      if (keyed.presence === PRESENCE.expired) continue;
      this.#fireAll(keyed, Infinity, "end-of-input");
      this.#state.markChanged(keyed);
    }
  }

  /** 2. Keys that have been silent for too long go idle, expire, or are forgotten. */
  #sweepSilent({ offset, key }: InputRecord): void {
    const { idleTimeoutMs, expiryMs, tombstoneMs, maxSensorsPerStep } = this.#pipeline.limits;
    const { silence, silenceClock, silent, keys } = this.#state;
    const [active, idle, expired] = silence;
    const found = active.takeSeenBefore(silenceClock - idleTimeoutMs);
    for (const keyed of found.sort(byKey)) this.#state.becomeSilent(keyed, offset);
    for (const keyed of silent.splice(0, maxSensorsPerStep)) this.#goIdle(keyed, offset);
    if (silent.length > 0 && key !== null) {
      const own = keys.get(keyText(key));
      if (own?.presence === PRESENCE.silent) {
        this.#state.takeOut(own);
        this.#goIdle(own, offset);
      }
    }
    for (const keyed of idle.takeSeenBefore(silenceClock - expiryMs)) this.#expire(keyed, offset);
    for (const keyed of expired.takeSeenBefore(silenceClock - expiryMs - tombstoneMs)) this.#state.forget(keyed);
  }

  /** What a silent key, which is in no list, has open fires. */
  #goIdle(keyed: KeyedState, offset: number): void {
    this.#fireAside(keyed, offset, Infinity, "idle");
    this.#topology.operators.forEach((operator, i) => operator.idle?.(keyed.operatorStates[i]));
    this.#state.become(keyed, PRESENCE.idle);
  }

  /** A key that is in no list leaves its tombstone. */
  #expire(keyed: KeyedState, offset: number): void {
    this.#makeFinal(keyed, offset);
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
    const { maxSensorsPerPartition } = this.#pipeline.limits;
    while (this.#state.present > maxSensorsPerPartition) {
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
    while (tombstones.size > maxSensorsPerPartition) {
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
    this.#topology.operators.forEach((operator, i) => {
      operator.drop?.(keyed.operatorStates[i], this.#context);
      keyed.operatorStates[i] = operator.create();
    });
    this.#state.markChanged(keyed);
  }

  /** 3. The record. */
  #take(record: InputRecord): void {
    if (record.key === null && record.value === null) return this.#control(record);
    const { message, deduplication } = this.#topology;
    const key = record.key === null ? "" : keyText(record.key);
    const rejection = this.#topology.decode(key, record.value ?? NO_BYTES, record.headers, message);
    if (rejection) return this.#reject(record, rejection);
    const known = this.#state.keys.get(key) ?? null;
    const admission = admit(message, known, record.timestamp, this.#pipeline.limits, deduplication);
    if (admission !== "new" && admission !== "duplicate") return this.#reject(record, admission);
    const keyed = known ?? this.#state.create(key, record.offset);
    this.#state.sawLife(keyed, record.offset);
    this.#makeRoom(record.offset);
    if (admission === "new") this.#apply(keyed, message, record.offset);
    else this.counters.add("processor.duplicates");
  }

  #control(record: InputRecord): void {
    const type = record.headers[headerNames.type];
    if (type === undefined || type === controlTypes.tick) return;
    const { controls } = this.#topology;
    const rejection = Object.hasOwn(controls, type) ? controls[type]!(record.headers) : this.#unknownControl(type);
    if (rejection) this.#reject(record, rejection);
  }

  #unknownControl(type: string): Rejection {
    const known = [controlTypes.tick, ...Object.keys(this.#topology.controls)].join(", ");
    return {
      code: "invalid-message",
      message: `a control record of type ${JSON.stringify(type)} is not known; known are ${known}`,
    };
  }

  #apply(keyed: KeyedState, message: Message, offset: number): void {
    const { operators, deduplication } = this.#topology;
    const watermark = this.#state.watermark(keyed);
    this.counters.add("processor.readings", message.rows);
    for (let i = 0; i < operators.length; i++) {
      operators[i]!.apply(keyed.operatorStates[i], keyed, message, watermark, this.#context);
    }
    deduplication.add(keyed.seen, message);
    const { lastTime } = message;
    if (lastTime > keyed.maxEventTime) keyed.maxEventTime = lastTime;
    if (lastTime > this.#state.maxEventTime) this.#state.maxEventTime = lastTime;
    this.#fireDue(keyed, offset);
  }

  /** 4. The watermark has moved: what is due fires. */
  #fireDue(keyed: KeyedState, offset: number): void {
    const watermark = this.#state.watermark(keyed);
    if (this.#pipeline.limits.watermark === "sensor") return this.#fireAll(keyed, watermark, "watermark");
    this.#dueAt = Math.min(this.#dueAt, this.#dueAtOf(keyed));
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

  #fireAll(keyed: KeyedState, upTo: EpochMs, cause: Cause): void {
    const { operators } = this.#topology;
    for (let i = 0; i < operators.length; i++) {
      operators[i]!.release?.(keyed.operatorStates[i], keyed, upTo, this.#context);
    }
    const watermark = this.#state.watermark(keyed);
    for (let i = 0; i < operators.length; i++) {
      operators[i]!.fire?.(keyed.operatorStates[i], keyed, upTo, watermark, cause, this.#context);
    }
  }

  #dueAtOf(keyed: KeyedState): EpochMs {
    const { operators } = this.#topology;
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

/** Keys are ASCII when they are valid; text decoding is for the message that says that one is not. */
function keyText(key: Uint8Array): string {
  return Buffer.isBuffer(key) ? key.toString("utf8") : utf8.decode(key);
}
