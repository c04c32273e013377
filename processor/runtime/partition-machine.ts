import { MODEL_HEADER, modelControl } from "../../domain/models.ts";
import type { Cause } from "../../domain/records.ts";
import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import { controlTypes, headers as headerNames } from "../../domain/topics.ts";
import { Scoring, type ScoringPorts } from "../inference/scoring.ts";
import { admit } from "./admit.ts";
import { Emitter } from "./emitter.ts";
import { byKey, type Keyed, PRESENCE } from "./keyed.ts";
import {
  type InputRecord,
  type MachineOrigin,
  type OutputRecord,
  StepFailed,
  type StateEntry,
  type StateMachine,
} from "./machine.ts";
import { Message, type Rejection } from "./message.ts";
import type { Figures, Operator, StepContext } from "./operator.ts";
import { PartitionState } from "./partition-state.ts";
import type { Pipeline } from "./pipeline.ts";

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
  readonly #operators: readonly Operator[];
  readonly #state: PartitionState;
  readonly #message: Message;
  readonly #context: StepContext;
  readonly #out: Emitter;
  readonly #scoring: Scoring;
  readonly figures: Figures = {
    readings: 0,
    duplicates: 0,
    deadLetters: 0,
    lateReadings: 0,
    windows: 0,
    sessionsStarted: 0,
    sessionsEnded: 0,
    inferences: 0,
  };

  #nextOffset = 0;
  /** With one watermark per partition: the lowest at which some key has something due. */
  #dueAt: EpochMs = Infinity;

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
    this.#operators = pipeline.operators();
    this.#message = new Message(pipeline.width);
    this.#out = new Emitter(pipeline.source, origin.partition, origin.restored?.chain ?? null);
    this.#scoring = new Scoring(scoring);
    this.#state = new PartitionState(pipeline.limits, this.#operators, this.#scoring);
    this.#context = {
      out: this.#out,
      figures: this.figures,
      generations: this.#state.generations,
      scoring: this.#scoring,
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
    return this.#scoring.mustSettle;
  }

  get chain(): string {
    return this.#out.chain;
  }

  /** The partition clock less the newest watermark; 0 before the first reading. */
  get watermarkLagMs(): Milliseconds {
    return this.#state.maxEventTime === -Infinity
      ? 0
      : this.#state.clock - (this.#state.maxEventTime - this.#pipeline.limits.outOfOrdernessMs);
  }

  /** Keys in state, tombstones excluded. */
  get keyCount(): number {
    return this.#state.silence[PRESENCE.active].size + this.#state.silence[PRESENCE.idle].size;
  }

  step(record: InputRecord): void {
    if (record.offset < this.#nextOffset)
      throw new Error(`offset ${record.offset} was stepped already: next is ${this.#nextOffset}`);
    if (this.mustSettle)
      throw new Error(`settle before offset ${record.offset}: the record before it assigned a model`);
    try {
      this.#out.begin(record.offset, record.headers[headerNames.traceparent]);
      this.#state.moveClock(record.timestamp); // 1
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
    for (const keyed of [...this.#state.keys.values()].sort(byKey)) {
      if (keyed.presence === PRESENCE.expired) continue;
      this.#fireAll(keyed, Infinity, "end-of-input");
      this.#state.markChanged(keyed);
    }
  }

  /** 2. Who has been silent for too long goes idle, expires, or is forgotten. */
  #sweepSilent(offset: number): void {
    const { idleTimeoutMs, expiryMs, tombstoneMs } = this.#pipeline.limits;
    const [active, idle, expired] = this.#state.silence;
    const silent = active.takeSeenBefore(this.#state.silenceClock - idleTimeoutMs);
    for (const keyed of silent.toSorted(byKey)) {
      this.#fireAll(keyed, Infinity, "idle");
      this.#operators.forEach((operator, i) => operator.idle?.(keyed.slots[i]));
    }
    for (const keyed of silent) this.#state.become(keyed, PRESENCE.idle);
    for (const keyed of idle.takeSeenBefore(this.#state.silenceClock - expiryMs)) {
      this.#dropSlots(keyed, offset);
      this.#state.become(keyed, PRESENCE.expired);
    }
    for (const keyed of expired.takeSeenBefore(this.#state.silenceClock - expiryMs - tombstoneMs))
      this.#state.forget(keyed);
  }

  #dropSlots(keyed: Keyed, offset: number): void {
    keyed.life = offset;
    this.#operators.forEach((operator, i) => {
      operator.drop?.(keyed.slots[i], this.#context);
      keyed.slots[i] = operator.create();
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
    const known = this.#state.keys.get(key) ?? null;
    const admission = admit(message, known, record.timestamp, this.#pipeline.limits);
    if (admission === "new") this.#apply(known ?? this.#state.create(key, record.offset), message);
    else if (admission === "duplicate") {
      this.figures.duplicates++;
      this.#state.sawLife(known!);
    } else this.#deadLetter(record, admission);
  }

  #control(record: InputRecord): void {
    const type = record.headers[headerNames.type];
    if (type === undefined || type === controlTypes.tick) return;
    if (type !== controlTypes.model)
      return this.#deadLetter(record, {
        code: "invalid-message",
        message: `a control record of type ${JSON.stringify(type)} is not known; known are ${Object.keys(controlTypes).join(", ")}`,
      });
    const control = modelControl.safeParse(parsed(record.headers[MODEL_HEADER]));
    if (control.success) return this.#scoring.control(control.data);
    this.#deadLetter(record, {
      code: "invalid-message",
      message: `the header ${MODEL_HEADER} of a model record is ${record.headers[MODEL_HEADER]}: ${control.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`).join("; ")}`,
    });
  }

  #apply(keyed: Keyed, message: Message): void {
    const { limits } = this.#pipeline;
    const operators = this.#operators;
    const watermark = this.#state.watermark(keyed);
    this.figures.readings += message.rows;
    this.#state.sawLife(keyed);
    for (let i = 0; i < operators.length; i++)
      operators[i]!.apply(keyed.slots[i], keyed, message, watermark, this.#context);
    const { lastTime } = message;
    keyed.sequences.add(message.boot, message.seq, lastTime, limits);
    if (lastTime > keyed.maxEventTime) keyed.maxEventTime = lastTime;
    if (lastTime > this.#state.maxEventTime) this.#state.maxEventTime = lastTime;
    this.#fireDue(keyed);
  }

  /** 4. The watermark has moved: what is due fires. */
  #fireDue(keyed: Keyed): void {
    const watermark = this.#state.watermark(keyed);
    if (this.#pipeline.limits.watermark === "sensor") return this.#fireAll(keyed, watermark, "watermark");
    this.#dueAt = Math.min(this.#dueAt, this.#dueAtOf(keyed));
    if (watermark < this.#dueAt) return;
    this.#dueAt = Infinity;
    for (const one of [...this.#state.keys.values()].sort(byKey)) {
      if (this.#dueAtOf(one) <= watermark) {
        this.#fireAll(one, watermark, "watermark");
        this.#state.markChanged(one);
      }
      this.#dueAt = Math.min(this.#dueAt, this.#dueAtOf(one));
    }
  }

  #fireAll(keyed: Keyed, upTo: EpochMs, cause: Cause): void {
    const operators = this.#operators;
    for (let i = 0; i < operators.length; i++) operators[i]!.release?.(keyed.slots[i], keyed, upTo, this.#context);
    const watermark = this.#state.watermark(keyed);
    for (let i = 0; i < operators.length; i++)
      operators[i]!.fire?.(keyed.slots[i], keyed, upTo, watermark, cause, this.#context);
  }

  #dueAtOf(keyed: Keyed): EpochMs {
    return this.#operators.reduce(
      (first, operator, i) => Math.min(first, operator.dueAt?.(keyed.slots[i]) ?? Infinity),
      Infinity,
    );
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

/** JSON, or undefined. */
function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

/** Keys are ASCII when they are valid; text decoding is for the message that says that one is not. */
function keyText(key: Uint8Array): string {
  return Buffer.isBuffer(key) ? key.toString("utf8") : utf8.decode(key);
}
