import { readSettingsHeader, settingsHeader } from "../../domain/controls.ts";
import { MillraceError } from "../../domain/errors.ts";
import { MAX_SILENCE_PER_STEP } from "../../domain/imu.ts";
import type { Semantics } from "../../domain/semantics.ts";
import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import { Changes } from "./changes.ts";
import { Reader, Writer } from "./codec.ts";
import type { KeyFacts, PartitionFacts } from "./facts.ts";
import { Generations, type Stamped } from "./generations.ts";
import { byKey, bySilence, KeyedState, PRESENCE, PRESENCE_NAMES, type Presence, SilenceList } from "./keyed-state.ts";
import type { MachineOrigin, StateEntry } from "./machine.ts";
import type { Operator, StepContext } from "./operator.ts";
import type { PartitionPipeline } from "./pipeline.ts";
import type { Regime } from "./regime.ts";

/** Layout of the entries that this file writes itself. Since 2: settings, watermark and changes. */
export const TASK_LAYOUT = 2;
/**
 * Since 2: what is final, when it was found silent, and hashes of let-go boots. Since 3: the watermark, and under which
 * settings the key is.
 */
export const KEYED_LAYOUT = 3;
/** Key of the entry that holds a task's clocks and what its asynchronous work keeps. */
export const TASK_ENTRY = "task";
/** Value of the entry of a key that was forgotten. */
const FORGOTTEN = Uint8Array.of(0);
/** Whether the value of a key's entry says that the key was forgotten. */
export const isForgotten = (value: Uint8Array): boolean => value[0] === 0;
/** Prefix of a key in the key of its entry. */
export const KEYED_PREFIX = "key/";

/** Prefixes of entries of kept state, by its scope; behind them stand the name of the state and that of the entry. */
export const KEPT_PREFIX = { key: "kept/", partition: "kept-by-all/" } as const;

/** Whether a snapshot has its settings: those of before settings stood in the log have none. */
export function hasSettings({ entries }: NonNullable<MachineOrigin["restored"]>): boolean {
  let layout = TASK_LAYOUT;
  for (const { key, value } of entries) if (key === TASK_ENTRY) layout = value[0]!;
  return layout >= 2;
}

/** An entry without its key. */
interface EntryValue {
  readonly generation: number;
  readonly value: Uint8Array;
}

/**
 * The state of one partition: its clocks, the settings in force, its keys, and how long each key has been silent. A
 * snapshot has an entry for the task, one for each key, and one for each item that an operator keeps apart; each is
 * written when it has changed.
 */
export class PartitionState {
  readonly #pipeline: PartitionPipeline;
  /** The settings in force are the last one's. The others are those of keys that wait for their switch. */
  #regimes: Regime[];
  /** Keys that wait for their switch, in its order. Some may have switched, expired or been forgotten since. */
  #waiting: KeyedState[] = [];
  /** The partition clock: the highest record timestamp seen. */
  clock: EpochMs = -Infinity;
  /** How far the partition clock has moved so far, where one step counts for at most MAX_SILENCE_PER_STEP. */
  silenceClock: Milliseconds = 0;
  /** Highest event time of the partition. */
  maxEventTime: EpochMs = -Infinity;
  /** The partition's watermark. No setting moves it back. */
  #watermark: EpochMs = -Infinity;
  /** The changes that were taken. */
  readonly changes = new Changes();
  /** The dead letters that were sent in again and taken. */
  readonly reinjected = new Changes();
  readonly keys = new Map<string, KeyedState>();
  /** Active, idle and expired keys, by presence. */
  readonly silence = [new SilenceList(), new SilenceList(), new SilenceList()] as const;
  /** Keys that wait for their turn to go idle, in that order. */
  readonly silent: KeyedState[] = [];
  readonly generations = new Generations();
  #changed: KeyedState[] = [];
  /** Forgotten keys of which older generations may still hold an entry. */
  readonly #forgotten = new Map<string, Stamped>();
  readonly #task: Stamped = { generation: -1, changed: true };

  /** `initial`: the settings until the first `settings` record. */
  constructor(pipeline: PartitionPipeline, initial: Semantics) {
    this.#pipeline = pipeline;
    this.#regimes = [this.#regimeOf(0, initial)];
  }

  #regimeOf(id: number, settings: Semantics): Regime {
    return { id, settings, topology: this.#pipeline.build(settings) };
  }

  /** The settings in force, and what runs under them. */
  get regime(): Regime {
    return this.#regimes[this.#regimes.length - 1]!;
  }

  /** Puts other settings in force. Every key that is not expired waits for its switch. */
  begin(settings: Semantics): void {
    const before = this.regime;
    const present = [...this.keys.values()].filter(({ regime }) => regime === before);
    // A key that has switched already waits again, behind those that have not.
    const older = this.#waiting.filter((keyed) => this.waits(keyed));
    this.#waiting = older.concat(present.sort(byKey));
    this.#regimes.push(this.#regimeOf(before.id + 1, settings));
  }

  /** Whether keys may wait for their switch. */
  get isSwitching(): boolean {
    return this.#regimes.length > 1;
  }

  /** Whether a key's operators still run under older settings. */
  waits({ regime }: KeyedState): boolean {
    return regime !== null && regime !== this.regime;
  }

  /** Takes out the first `count` keys that wait for their switch: those of the oldest settings, in byte order. */
  takeWaiting(count: number): KeyedState[] {
    const taken: KeyedState[] = [];
    let at = 0;
    for (; at < this.#waiting.length && taken.length < count; at++) {
      const keyed = this.#waiting[at]!;
      if (this.waits(keyed)) taken.push(keyed);
    }
    this.#waiting = this.#waiting.slice(at);
    return taken;
  }

  /** Forgets the settings that no key is under. Called behind a switch. */
  endRegimes(): void {
    const oldest = this.#waiting.find((keyed) => this.waits(keyed))?.regime ?? this.regime;
    while (this.#regimes[0] !== oldest) this.#regimes.shift();
    if (!this.isSwitching) this.#waiting = [];
  }

  watermark(keyed: KeyedState): EpochMs {
    return this.regime.settings.watermark === "sensor" ? keyed.watermark : this.#watermark;
  }

  /**
   * Moves the watermarks to the highest event times, less the bound in force; never back. The partition's moves with an
   * accepted message alone, in whose step everything fires that is due by it: so a restore knows from the watermark
   * what has fired.
   */
  raiseWatermarks(keyed: KeyedState): void {
    this.#raiseOwnWatermark(keyed);
    this.#raisePartitionWatermark();
  }

  #raiseOwnWatermark(keyed: KeyedState): void {
    const watermark = keyed.maxEventTime - this.regime.settings.outOfOrdernessMs;
    if (watermark > keyed.watermark) keyed.watermark = watermark;
  }

  #raisePartitionWatermark(): void {
    const watermark = this.maxEventTime - this.regime.settings.outOfOrdernessMs;
    if (watermark > this.#watermark) this.#watermark = watermark;
  }

  /** Moves the partition's highest event time, and its watermark. */
  raisePartitionTime(eventTime: EpochMs): void {
    this.maxEventTime = eventTime;
    this.#raisePartitionWatermark();
  }

  get partitionWatermark(): EpochMs {
    return this.#watermark;
  }

  moveClock(timestamp: EpochMs): void {
    if (timestamp <= this.clock) return;
    if (this.clock !== -Infinity) this.silenceClock += Math.min(timestamp - this.clock, MAX_SILENCE_PER_STEP);
    this.clock = timestamp;
  }

  /** Puts a key that is in no list into the one of its new presence. */
  become(keyed: KeyedState, presence: Exclude<Presence, 3>): void {
    keyed.presence = presence;
    this.silence[presence].insert(keyed);
    this.markChanged(keyed);
  }

  /** Lets a key that was active wait for its turn to go idle. */
  becomeSilent(keyed: KeyedState, offset: number): void {
    keyed.presence = PRESENCE.silent;
    keyed.foundSilentAt = offset;
    this.silent.push(keyed);
    this.markChanged(keyed);
  }

  /** Takes a key out of the list of its presence. */
  takeOut(keyed: KeyedState): void {
    if (keyed.presence === PRESENCE.silent) this.silent.splice(this.silent.indexOf(keyed), 1);
    else this.silence[keyed.presence].remove(keyed);
  }

  /** Notes a sign of life in the step of `offset`. */
  sawLife(keyed: KeyedState, offset: number): void {
    this.takeOut(keyed);
    keyed.lastSeen = this.silenceClock;
    keyed.lastSeenAt = offset;
    this.become(keyed, PRESENCE.active);
  }

  /** Keys in state, tombstones excluded. */
  get present(): number {
    return this.silence[PRESENCE.active].size + this.silent.length + this.silence[PRESENCE.idle].size;
  }

  /** The key that is silent for longest, tombstones excluded; null when there is none. */
  longestSilent(): KeyedState | null {
    const [active, idle] = this.silence;
    let longest = idle.first;
    for (const keyed of [active.first, ...this.silent])
      if (keyed && (longest === null || bySilence(keyed, longest) < 0)) longest = keyed;
    return longest;
  }

  /** A new key, whose operators begin with `beginAnew`. `life`: the offset of the step that creates it. */
  create(key: string, life: number): KeyedState {
    const keyed = new KeyedState(key, life, this.regime.topology.deduplication.create(), []);
    keyed.lastSeen = this.silenceClock;
    keyed.lastSeenAt = life;
    keyed.generation = this.#forgotten.get(key)?.generation ?? -1;
    this.#forgotten.delete(key);
    this.keys.set(key, keyed);
    this.silence[PRESENCE.active].insert(keyed);
    return keyed;
  }

  /** Gives a key fresh operators' state, under the settings in force. */
  beginAnew(keyed: KeyedState): void {
    keyed.regime = this.regime;
    keyed.operatorStates = keyed.regime.topology.operators.map((operator) => operator.create());
    this.#raiseOwnWatermark(keyed);
  }

  forget(keyed: KeyedState): void {
    this.keys.delete(keyed.key);
    if (keyed.generation >= 0) this.#forgotten.set(keyed.key, { generation: keyed.generation, changed: true });
  }

  /**
   * Drops all that is known of a key. The next snapshot is a whole one, and names it nowhere: no older generation, of
   * which any may hold entries of the key, is needed then.
   */
  erase(key: string, context: StepContext): void {
    const keyed = this.keys.get(key);
    const forgotten = this.#forgotten.get(key);
    if (!keyed && !forgotten) return;
    if (forgotten) this.generations.forget(forgotten);
    this.#forgotten.delete(key);
    if (keyed) {
      this.takeOut(keyed);
      keyed.regime?.topology.operators.forEach((operator, i) => operator.drop?.(keyed.operatorStates[i], context));
      keyed.regime = null; // it no longer waits for a switch
      this.keys.delete(key);
      this.generations.forget(keyed);
    }
    this.rewriteUpTo(this.generations.live().at(-1) ?? -1);
  }

  markChanged(keyed: KeyedState): void {
    if (keyed.changed) return;
    keyed.changed = true;
    this.#changed.push(keyed);
  }

  get facts(): PartitionFacts {
    return { clock: this.clock, maxEventTime: this.maxEventTime, settings: this.regime.settings };
  }

  /** What is known of a key; null for one that is not known (any more). */
  factsOf(key: string): KeyFacts | null {
    const keyed = this.keys.get(key);
    if (!keyed) return null;
    const operators = keyed.regime?.topology.operators ?? [];
    const facts = operators.map((operator, i) => operator.facts?.(keyed.operatorStates[i]) ?? {});
    const { presence, maxEventTime, finalUpTo, lastSeen, lastSeenAt, seen } = keyed;
    return {
      key,
      presence: PRESENCE_NAMES[presence],
      maxEventTime,
      watermark: this.watermark(keyed),
      finalUpTo,
      silentFor: this.silenceClock - lastSeen,
      lastSeenAt,
      windows: facts.flatMap(({ windows = [] }) => windows),
      sessions: facts.flatMap(({ sessions = [] }) => sessions),
      waiting: facts.find(({ waiting }) => waiting)?.waiting ?? null,
      seen: this.regime.topology.deduplication.facts?.(seen) ?? null,
      trades: facts.find(({ trades }) => trades !== undefined)?.trades ?? null,
    };
  }

  /** See `StateMachine.encodeChanges`. */
  encodeChanges(generation: number, take: (entry: StateEntry) => void): void {
    const writer = new Writer();
    this.#encodeTask(writer);
    this.generations.stamp(this.#task, generation);
    take({ key: TASK_ENTRY, value: writer.take() });
    for (const keyed of this.#changed) {
      if (this.keys.get(keyed.key) !== keyed) continue;
      this.generations.stamp(keyed, generation);
      this.#encodeKeyed(keyed, writer);
      take({ key: KEYED_PREFIX + keyed.key, value: writer.take() });
    }
    this.#changed = [];
    for (const [key, forgotten] of this.#forgotten) {
      if (!forgotten.changed) continue;
      this.generations.stamp(forgotten, generation);
      take({ key: KEYED_PREFIX + key, value: FORGOTTEN });
    }
    for (const { topology } of this.#regimes) {
      for (const operator of topology.operators) {
        operator.items?.encodeChanges(generation, this.generations, ({ key, value }) => {
          take({ key: `${operator.name}/${key}`, value: Buffer.concat([Uint8Array.of(operator.layout), value]) });
        });
      }
    }
    for (const kept of this.#pipeline.kept) {
      const prefix = `${KEPT_PREFIX[kept.codec.scope]}${kept.codec.name}/`;
      kept.encodeChanges(generation, this.generations, writer, ({ key, value }) => take({ key: prefix + key, value }));
    }
  }

  #encodeTask(writer: Writer): void {
    writer.u8(TASK_LAYOUT);
    writer.f64(this.clock);
    writer.f64(this.silenceClock);
    writer.f64(this.maxEventTime);
    writer.text(this.#pipeline.asyncWork?.encode() ?? "");
    writer.f64(this.#watermark);
    writer.u32(this.#regimes.length);
    for (const { id, settings } of this.#regimes) {
      writer.u32(id);
      writer.text(settingsHeader(settings));
    }
    this.changes.encode(writer);
    this.reinjected.encode(writer);
  }

  #encodeKeyed(keyed: KeyedState, writer: Writer): void {
    const operators = keyed.regime?.topology.operators ?? [];
    writer.u8(KEYED_LAYOUT);
    writer.f64(keyed.life);
    writer.f64(keyed.maxEventTime);
    writer.f64(keyed.lastSeen);
    writer.u8(keyed.presence);
    writer.f64(keyed.finalUpTo);
    writer.f64(keyed.lastSeenAt);
    writer.f64(keyed.foundSilentAt);
    writer.f64(keyed.watermark);
    writer.u32((keyed.regime ?? this.regime).id);
    writer.section(() => this.regime.topology.deduplication.encode(keyed.seen, writer));
    writer.u8(operators.length);
    operators.forEach((operator, i) => {
      writer.text(operator.name);
      writer.u8(operator.layout);
      writer.section(() => operator.encode(keyed.operatorStates[i], writer));
    });
  }

  /** @throws MillraceError when the entries can't be read, or what the asynchronous work needs can't be had. */
  async restore(restored: NonNullable<MachineOrigin["restored"]>): Promise<void> {
    let task: EntryValue | null = null;
    const keyed = new Map<string, EntryValue>();
    for (const entry of restored.entries) {
      if (entry.key === TASK_ENTRY) task = entry;
      else if (entry.key.startsWith(KEYED_PREFIX)) keyed.set(entry.key.slice(KEYED_PREFIX.length), entry);
    }
    if (!task) {
      const problem = `the snapshot at offset ${restored.nextOffset} has no task entry. Run \`npm run recover\`.`;
      throw new MillraceError("snapshot-corrupt", problem);
    }
    await this.#restoreTask(task);
    for (const [key, entry] of keyed) {
      if (!isForgotten(entry.value)) this.#restoreKeyed(key, entry);
      else {
        const forgotten = { generation: -1, changed: false };
        this.generations.stamp(forgotten, entry.generation);
        this.#forgotten.set(key, forgotten);
      }
    }
    for (const one of [...this.keys.values()].sort(bySilence)) {
      if (one.presence === PRESENCE.silent) this.silent.push(one);
      else this.silence[one.presence].insert(one);
    }
    this.silent.sort((a, b) => a.foundSilentAt - b.foundSilentAt || byKey(a, b));
    this.#waiting = [...this.keys.values()]
      .filter((one) => this.waits(one))
      .sort((a, b) => a.regime!.id - b.regime!.id || byKey(a, b));
    for (const entry of restored.entries) {
      if (isKept(entry.key)) this.#restoreKept(entry);
      else if (entry.key !== TASK_ENTRY && !entry.key.startsWith(KEYED_PREFIX)) this.#restoreItem(entry);
    }
  }

  #restoreKept({ key, value, generation }: EntryValue & Pick<StateEntry, "key">): void {
    const [, name = "", entry = ""] = /^[^/]*\/([^/]*)\/(.*)$/s.exec(key) ?? [];
    const kept = this.#pipeline.kept.find(({ codec }) => codec.name === name);
    if (!kept) throw unknownOperators([name]);
    const layout = value[0]!;
    if (layout > 0) checkLayout(name, layout, kept.codec.layout);
    kept.restore(entry, layout, new Reader(value, 1), generation, this.generations);
  }

  async #restoreTask({ generation, value }: EntryValue): Promise<void> {
    const reader = new Reader(value);
    const layout = reader.u8();
    checkLayout("task", layout, TASK_LAYOUT);
    this.clock = reader.f64();
    this.silenceClock = reader.f64();
    this.maxEventTime = reader.f64();
    const asyncState = reader.text();
    // Layout 1 knew no settings: those that it was made under are in force already.
    if (layout >= 2) this.#restoreSettings(reader);
    else this.#raisePartitionWatermark();
    // Empty where the version that wrote the snapshot had no asynchronous work.
    if (asyncState !== "") await this.#pipeline.asyncWork?.restore(asyncState);
    this.generations.stamp(this.#task, generation);
  }

  #restoreSettings(reader: Reader): void {
    this.#watermark = reader.f64();
    this.#regimes = Array.from({ length: reader.u32() }, () => this.#regimeOf(reader.u32(), readStored(reader.text())));
    this.changes.decode(reader);
    this.reinjected.decode(reader);
  }

  #restoreKeyed(key: string, { generation, value }: EntryValue): void {
    const { settings, topology } = this.regime;
    const reader = new Reader(value);
    const layout = reader.u8();
    checkLayout("key", layout, KEYED_LAYOUT);
    const life = reader.f64();
    const maxEventTime = reader.f64();
    const lastSeen = reader.f64();
    const presence = reader.u8() as Presence;
    const finalUpTo = layout >= 2 ? reader.f64() : -Infinity;
    const lastSeenAt = layout >= 2 ? reader.f64() : 0;
    const foundSilentAt = layout >= 2 ? reader.f64() : 0;
    // Layout 1 had no entries for keys that were forgotten.
    if (layout === 1 && this.silenceClock - lastSeen > settings.expiryMs + settings.tombstoneMs) return;
    const watermark = layout >= 3 ? reader.f64() : maxEventTime - settings.outOfOrdernessMs;
    const id = layout >= 3 ? reader.u32() : this.regime.id;
    const seen = topology.deduplication.decode(reader.section(), layout);
    const regime = presence === PRESENCE.expired ? null : this.#regimeBy(id, key);
    const keyed = new KeyedState(key, life, seen, regime ? restoreOperatorStates(regime, reader) : []);
    keyed.regime = regime;
    keyed.maxEventTime = maxEventTime;
    keyed.watermark = watermark;
    // Layout 1 kept no such time: what an expired key told before is final all the same.
    keyed.finalUpTo = layout === 1 && presence === PRESENCE.expired ? maxEventTime : finalUpTo;
    keyed.lastSeen = lastSeen;
    keyed.lastSeenAt = lastSeenAt;
    keyed.foundSilentAt = foundSilentAt;
    keyed.presence = presence;
    this.keys.set(key, keyed);
    this.generations.stamp(keyed, generation);
  }

  #regimeBy(id: number, key: string): Regime {
    const regime = this.#regimes.find((one) => one.id === id);
    if (regime) return regime;
    const problem = `the snapshot's state of ${JSON.stringify(key)} is under settings that it does not have (${id})`;
    throw new MillraceError("snapshot-corrupt", `${problem}. Run \`npm run recover\`.`);
  }

  /** Takes an item back. Its operator may be one that other settings have taken out: then nothing needs it. */
  #restoreItem(entry: EntryValue & Pick<StateEntry, "key">): void {
    const name = entry.key.slice(0, entry.key.indexOf("/"));
    const keyed = this.keys.get(entry.key.slice(name.length + 1, entry.key.lastIndexOf("/")));
    if (!keyed?.regime) return;
    const { operators } = keyed.regime.topology;
    const index = operators.findIndex((one) => one.name === name);
    const operator: Operator | undefined = operators[index];
    if (!operator?.items) return;
    checkLayout(operator.name, entry.value[0]!, operator.layout);
    const reader = new Reader(entry.value, 1);
    const watermark = this.watermark(keyed);
    operator.items.restore(keyed.operatorStates[index], keyed, reader, watermark, entry.generation, this.generations);
  }

  /** See `StateMachine.rewriteUpTo`. */
  rewriteUpTo(generation: number): void {
    for (const [key, forgotten] of this.#forgotten) {
      if (forgotten.changed || forgotten.generation > generation) continue;
      this.generations.forget(forgotten); // no older generation is left
      this.#forgotten.delete(key);
    }
    for (const keyed of this.keys.values()) {
      if (keyed.generation <= generation) this.markChanged(keyed);
      keyed.regime?.topology.operators.forEach((operator, i) => {
        operator.items?.rewriteUpTo(keyed.operatorStates[i], keyed, generation);
      });
    }
    for (const kept of this.#pipeline.kept) kept.rewriteUpTo(generation, this.generations);
  }
}

function restoreOperatorStates({ topology }: Regime, reader: Reader): unknown[] {
  const written = new Map<string, { layout: number; section: Reader }>();
  for (let count = reader.u8(); count > 0; count--) {
    written.set(reader.text(), { layout: reader.u8(), section: reader.section() });
  }
  const states = topology.operators.map((operator) => {
    const state = written.get(operator.name);
    written.delete(operator.name);
    if (!state) return operator.create();
    checkLayout(operator.name, state.layout, operator.layout);
    return operator.decode(state.section, state.layout);
  });
  if (written.size > 0) throw unknownOperators([...written.keys()]);
  return states;
}

/** Whether the key of an entry is that of kept state. */
export function isKept(key: string): boolean {
  return key.startsWith(KEPT_PREFIX.key) || key.startsWith(KEPT_PREFIX.partition);
}

function unknownOperators(names: readonly string[]): MillraceError {
  return new MillraceError(
    "state-layout-unknown",
    `the snapshot holds state of operators that this pipeline does not have: ${names.join(", ")}. ` +
      "Run `npm run recover`.",
  );
}

/** Settings of a snapshot. A younger version's may have a setting that this one does not know. */
function readStored(text: string): Semantics {
  const { settings, problems } = readSettingsHeader(text);
  if (settings) return settings;
  throw new MillraceError(
    "state-layout-unknown",
    `the snapshot's settings can't be read: ${problems.join("; ")}. ` +
      "Run the version that wrote it, or `npm run recover`.",
  );
}

function checkLayout(what: string, written: number, known: number): void {
  if (written >= 1 && written <= known) return;
  throw new MillraceError(
    "state-layout-unknown",
    `the snapshot's state of ${what} has layout ${written}; this version reads 1 to ${known}. ` +
      "Run the version that wrote it, or `npm run recover`.",
  );
}
