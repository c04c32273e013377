import { MillraceError } from "../../domain/errors.ts";
import { MAX_SILENCE_PER_STEP } from "../../domain/imu.ts";
import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import type { Scoring } from "../inference/scoring.ts";
import { Sequences } from "../operators/sequences.ts";
import { Reader, Writer } from "./codec.ts";
import { Generations, type Stamped } from "./generations.ts";
import { Keyed, PRESENCE, type Presence, SilenceList } from "./keyed.ts";
import type { MachineOrigin, StateEntry } from "./machine.ts";
import type { Operator } from "./operator.ts";
import type { PipelineLimits } from "./pipeline.ts";

/** Layout of the entries that this file writes itself. */
const TASK_LAYOUT = 1;
const KEYED_LAYOUT = 1;
export const TASK_ENTRY = "task";
export const KEYED_PREFIX = "key/";

/**
 * The state of one partition: its clocks, its keys, who is silent for how long; written in entries, each when it has
 * changed.
 */
export class PartitionState {
  readonly #limits: PipelineLimits;
  readonly #operators: readonly Operator[];
  readonly #scoring: Scoring;
  /** The partition clock: the highest record timestamp seen. */
  clock: EpochMs = -Infinity;
  /** The partition clock's advance so far, where one step counts for at most MAX_SILENCE_PER_STEP. */
  silenceClock: Milliseconds = 0;
  /** Highest event time of the partition. */
  maxEventTime: EpochMs = -Infinity;
  readonly keys = new Map<string, Keyed>();
  /** Keys by presence. */
  readonly silence = [new SilenceList(), new SilenceList(), new SilenceList()] as const;
  readonly generations = new Generations();
  #changed: Keyed[] = [];
  readonly #task: Stamped = { generation: -1, changed: true };

  constructor(limits: PipelineLimits, operators: readonly Operator[], scoring: Scoring) {
    this.#limits = limits;
    this.#operators = operators;
    this.#scoring = scoring;
  }

  watermark(keyed: Keyed): EpochMs {
    return (
      (this.#limits.watermark === "sensor" ? keyed.maxEventTime : this.maxEventTime) - this.#limits.outOfOrdernessMs
    );
  }

  moveClock(timestamp: EpochMs): void {
    if (timestamp <= this.clock) return;
    if (this.clock !== -Infinity) this.silenceClock += Math.min(timestamp - this.clock, MAX_SILENCE_PER_STEP);
    this.clock = timestamp;
  }

  /** A key that was in no list of `silence`. */
  become(keyed: Keyed, presence: Presence): void {
    keyed.presence = presence;
    this.silence[presence].append(keyed);
    this.markChanged(keyed);
  }

  /** A sign of life. */
  sawLife(keyed: Keyed): void {
    this.markChanged(keyed);
    if (keyed.presence === PRESENCE.active && keyed.lastSeen === this.silenceClock) return;
    this.silence[keyed.presence].remove(keyed);
    keyed.lastSeen = this.silenceClock;
    this.become(keyed, PRESENCE.active);
  }

  create(key: string, life: number): Keyed {
    const keyed = new Keyed(
      key,
      life,
      this.#operators.map((operator) => operator.create()),
    );
    keyed.lastSeen = this.silenceClock;
    this.keys.set(key, keyed);
    this.silence[PRESENCE.active].append(keyed);
    return keyed;
  }

  forget(keyed: Keyed): void {
    this.keys.delete(keyed.key);
    this.generations.forget(keyed);
  }

  markChanged(keyed: Keyed): void {
    if (keyed.changed) return;
    keyed.changed = true;
    this.#changed.push(keyed);
  }

  /** See `StateMachine.encodeChanges`. */
  encodeChanges(generation: number, take: (entry: StateEntry) => void): void {
    const writer = new Writer();
    writer.u8(TASK_LAYOUT);
    for (const value of [this.clock, this.silenceClock, this.maxEventTime]) writer.f64(value);
    writer.text(this.#scoring.encode());
    this.generations.stamp(this.#task, generation);
    take({ key: TASK_ENTRY, value: writer.take() });
    for (const keyed of this.#changed) {
      if (this.keys.get(keyed.key) !== keyed) continue;
      this.generations.stamp(keyed, generation);
      this.#encodeKeyed(keyed, writer);
      take({ key: KEYED_PREFIX + keyed.key, value: writer.take() });
    }
    this.#changed = [];
    for (const operator of this.#operators) {
      operator.items?.encodeChanges(generation, this.generations, (entry) =>
        take({
          key: `${operator.name}/${entry.key}`,
          value: Buffer.concat([Uint8Array.of(operator.layout), entry.value]),
        }),
      );
    }
  }

  #encodeKeyed(keyed: Keyed, writer: Writer): void {
    writer.u8(KEYED_LAYOUT);
    writer.f64(keyed.life);
    writer.f64(keyed.maxEventTime);
    writer.f64(keyed.lastSeen);
    writer.u8(keyed.presence);
    writer.section(() => keyed.sequences.encode(writer));
    writer.u8(this.#operators.length);
    this.#operators.forEach((operator, i) => {
      writer.text(operator.name);
      writer.u8(operator.layout);
      writer.section(() => operator.encode(keyed.slots[i], writer));
    });
  }

  /** @throws MillraceError when it can't be read, or needs a model that can't be loaded. */
  async restore(restored: NonNullable<MachineOrigin["restored"]>): Promise<void> {
    let task: { readonly generation: number; readonly value: Uint8Array } | null = null;
    const keyed = new Map<string, { readonly generation: number; readonly value: Uint8Array }>();
    for (const entry of restored.entries) {
      if (entry.key === TASK_ENTRY) task = entry;
      else if (entry.key.startsWith(KEYED_PREFIX)) keyed.set(entry.key.slice(KEYED_PREFIX.length), entry);
    }
    if (!task)
      throw new MillraceError(
        "snapshot-corrupt",
        `the snapshot at offset ${restored.nextOffset} has no task entry. Run \`npm run recover\`.`,
      );
    const reader = new Reader(task.value);
    knownLayout("task", reader.u8(), TASK_LAYOUT);
    this.clock = reader.f64();
    this.silenceClock = reader.f64();
    this.maxEventTime = reader.f64();
    await this.#scoring.restore(reader.text());
    this.generations.stamp(this.#task, task.generation);
    for (const [key, { generation, value }] of keyed) this.#restoreKeyed(key, generation, new Reader(value));
    for (const keyed of [...this.keys.values()].sort((a, b) => a.lastSeen - b.lastSeen))
      this.silence[keyed.presence].append(keyed);
    this.#operators.forEach((operator, i) => {
      if (!operator.items) return;
      const prefix = `${operator.name}/`;
      for (const { key, generation, value } of restored.entries)
        if (key.startsWith(prefix)) this.#restoreItem(operator, i, key, generation, value);
    });
  }

  #restoreKeyed(key: string, generation: number, reader: Reader): void {
    knownLayout("key", reader.u8(), KEYED_LAYOUT);
    const keyed = new Keyed(key, reader.f64(), []);
    keyed.maxEventTime = reader.f64();
    keyed.lastSeen = reader.f64();
    keyed.presence = reader.u8() as Presence;
    const { expiryMs, tombstoneMs } = this.#limits;
    if (this.silenceClock - keyed.lastSeen > expiryMs + tombstoneMs) return;
    keyed.sequences = Sequences.decode(reader.section());
    const written = new Map<string, { layout: number; section: Reader }>();
    for (let count = reader.u8(); count > 0; count--)
      written.set(reader.text(), { layout: reader.u8(), section: reader.section() });
    keyed.slots = this.#operators.map((operator) => {
      const state = written.get(operator.name);
      written.delete(operator.name);
      if (!state) return operator.create();
      knownLayout(operator.name, state.layout, operator.layout);
      return operator.decode(state.section, state.layout, (key) => this.#scoring.modelByKey(key));
    });
    if (written.size > 0)
      throw new MillraceError(
        "state-layout-unknown",
        `the snapshot holds state of operators that this pipeline does not have: ${[...written.keys()].join(", ")}. Run \`npm run recover\`.`,
      );
    this.keys.set(key, keyed);
    this.generations.stamp(keyed, generation);
  }

  #restoreItem(operator: Operator, index: number, entryKey: string, generation: number, value: Uint8Array): void {
    const keyed = this.keys.get(entryKey.slice(operator.name.length + 1, entryKey.lastIndexOf("/")));
    if (!keyed || keyed.presence === PRESENCE.expired) return;
    knownLayout(operator.name, value[0]!, operator.layout);
    operator.items!.restore(
      keyed.slots[index],
      keyed,
      new Reader(value.subarray(1)),
      this.watermark(keyed),
      generation,
      this.generations,
    );
  }

  /** See `StateMachine.rewriteUpTo`. */
  rewriteUpTo(generation: number): void {
    for (const keyed of this.keys.values()) {
      if (keyed.generation <= generation) this.markChanged(keyed);
      this.#operators.forEach((operator, i) => operator.items?.rewriteUpTo(keyed.slots[i], keyed, generation));
    }
  }
}

function knownLayout(what: string, written: number, known: number): void {
  if (written >= 1 && written <= known) return;
  throw new MillraceError(
    "state-layout-unknown",
    `the snapshot's state of ${what} has layout ${written}; this version reads 1 to ${known}. Run the version that wrote it, or \`npm run recover\`.`,
  );
}
