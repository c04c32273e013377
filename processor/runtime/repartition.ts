import { readSettingsHeader } from "../../domain/controls.ts";
import { MillraceError } from "../../domain/errors.ts";
import type { Semantics } from "../../domain/semantics.ts";
import { Changes } from "./changes.ts";
import { Reader, Writer } from "./codec.ts";
import { haveSameValue, isDeletedEntry } from "./kept.ts";
import type { StateEntry } from "./machine.ts";
import {
  isForgotten,
  isKept,
  KEPT_PREFIX,
  KEYED_LAYOUT,
  KEYED_PREFIX,
  TASK_ENTRY,
  TASK_LAYOUT,
} from "./partition-state.ts";

/** Where a key's entry has the time of its last sign of life: behind layout, life and highest event time. */
const LAST_SEEN_AT = 1 + 8 + 8;
/** Where it has the number of its settings: behind that, presence, what is final, two offsets, and the watermark. */
const REGIME_AT = LAST_SEEN_AT + 8 + 1 + 8 + 8 + 8 + 8;

/** The state of one task, all of whose input has been processed. */
export interface TaskState {
  readonly task: string;
  readonly partition: number;
  /** Oldest first: a later entry replaces an earlier one of the same key. */
  readonly entries: Iterable<StateEntry>;
}

interface Clocks {
  readonly clock: number;
  readonly silenceClock: number;
  readonly maxEventTime: number;
  /** What the pipeline's asynchronous work keeps, see `AsyncWork.encode`. */
  readonly asyncState: string;
  readonly watermark: number;
  /** The header of the settings in force. */
  readonly settings: string;
  /** Sets of settings that keys are under. */
  readonly regimes: number;
  readonly changes: readonly string[];
  readonly reinjected: readonly string[];
}

/** The newest entries of a task by their keys, and its clocks: null for a task that has seen nothing. */
interface Source {
  readonly task: string;
  readonly partition: number;
  readonly entries: ReadonlyMap<string, Uint8Array>;
  readonly clocks: Clocks | null;
}

/**
 * Distributes the state of tasks over `count` partitions: each key's state goes to the task of `partitionOf(key)`.
 * Every task continues with the clocks of the one that is farthest, and no key's silence gets longer or shorter.
 *
 * A rescale that was interrupted leaves a key in two tasks. Its state is taken from the task where it belongs, if both
 * have the same.
 *
 * @returns The entries of each partition; null when no task has any state.
 * @throws MillraceError `rescale-refused`, `state-layout-unknown`
 */
export function repartition(
  old: readonly TaskState[],
  count: number,
  partitionOf: (key: string) => number,
): { readonly states: StateEntry[][]; readonly settings: Semantics } | null {
  const sources = old.map(readSource);
  const clocks = commonClocks(sources);
  if (clocks === null) return null;
  const owners = ownersOf(sources, clocks, partitionOf);
  const result = Array.from({ length: count }, (): StateEntry[] => [{ key: TASK_ENTRY, value: writeClocks(clocks) }]);
  for (const [key, { value }] of owners) result[partitionOf(key)]!.push({ key: KEYED_PREFIX + key, value });
  for (const source of sources) {
    for (const [entryKey, value] of source.entries) {
      if (entryKey === TASK_ENTRY || entryKey.startsWith(KEYED_PREFIX) || isKept(entryKey)) continue;
      const key = keyOfItem(entryKey);
      if (owners.get(key)?.source === source) result[partitionOf(key)]!.push({ key: entryKey, value });
    }
  }
  for (const [entryKey, { value }] of keptEntries(sources)) {
    const key = keyOfKept(entryKey);
    for (const [partition, entries] of result.entries())
      if (key === null || partition === partitionOf(key)) entries.push({ key: entryKey, value });
  }
  return { states: result, settings: settingsOf(clocks) };
}

/** Stands for an entry that a task never wrote: as if it was deleted. */
const NO_ENTRY = Uint8Array.of(0);

/** The entries of kept state, by their keys. What two tasks have must be the same in both. */
function keptEntries(sources: readonly Source[]): ReadonlyMap<string, Owner> {
  const kept = new Map<string, Owner>();
  for (const source of sources) {
    for (const [entryKey, value] of source.entries) {
      if (!isKept(entryKey) || isDeletedEntry(value)) continue;
      const other = kept.get(entryKey);
      if (other && !haveSameValue(other.value, value)) {
        const key = keyOfKept(entryKey);
        throw key === null ? differentData(other.source, source) : differentStates(key, other.source, source);
      }
      kept.set(entryKey, { source, value });
    }
  }
  const tasks = sources.filter(({ clocks }) => clocks !== null);
  for (const entryKey of kept.keys()) {
    const hasNone = ({ entries }: Source): boolean => isDeletedEntry(entries.get(entryKey) ?? NO_ENTRY);
    const without = keyOfKept(entryKey) === null && tasks.find(hasNone);
    if (without) throw differentData(kept.get(entryKey)!.source, without);
  }
  return kept;
}

/** The key that an entry of kept state belongs to; null for one that every partition has. */
function keyOfKept(entryKey: string): string | null {
  return entryKey.startsWith(KEPT_PREFIX.key) ? entryKey.split("/")[2]! : null;
}

/** The task whose state of a key is taken, and the key's entry on the common clocks. */
interface Owner {
  readonly source: Source;
  readonly value: Uint8Array;
}

function ownersOf(
  sources: readonly Source[],
  clocks: Clocks,
  partitionOf: (key: string) => number,
): ReadonlyMap<string, Owner> {
  const owners = new Map<string, Owner>();
  for (const source of sources) {
    for (const [entryKey, written] of source.entries) {
      if (!entryKey.startsWith(KEYED_PREFIX) || isForgotten(written)) continue;
      const key = entryKey.slice(KEYED_PREFIX.length);
      const value = onCommonClocks(source, key, written, clocks.silenceClock);
      const other = owners.get(key);
      if (other && Buffer.compare(other.value, value) !== 0) throw differentStates(key, other.source, source);
      if (!other || source.partition === partitionOf(key)) owners.set(key, { source, value });
    }
  }
  return owners;
}

function differentStates(key: string, one: Source, other: Source): MillraceError {
  return new MillraceError(
    "rescale-refused",
    `key ${JSON.stringify(key)} has state in ${one.task} and in ${other.task}, and the two differ: ` +
      "its records went to both partitions. Nothing can put the two together; see docs/rescale.md.",
  );
}

function differentData(one: Source, other: Source): MillraceError {
  return new MillraceError(
    "rescale-refused",
    `${one.task} has other reference data than ${other.task}. Give the command that appended it again ` +
      "(`npm run reference -- publish …`), and wait until the processor has read it.",
  );
}

function readSource({ task, partition, entries }: TaskState): Source {
  const newest = new Map<string, Uint8Array>();
  for (const { key, value } of entries) newest.set(key, value);
  const written = newest.get(TASK_ENTRY);
  return { task, partition, entries: newest, clocks: written ? readClocks(task, new Reader(written)) : null };
}

function readClocks(task: string, reader: Reader): Clocks {
  checkLayout(task, "task", reader.u8(), TASK_LAYOUT);
  const clocks = {
    clock: reader.f64(),
    silenceClock: reader.f64(),
    maxEventTime: reader.f64(),
    asyncState: reader.text(),
    watermark: reader.f64(),
  };
  const regimes = reader.u32();
  let settings = "";
  for (let i = 0; i < regimes; i++) {
    reader.u32();
    settings = reader.text();
  }
  return { ...clocks, settings, regimes, changes: Changes.read(reader), reinjected: Changes.read(reader) };
}

function writeClocks({ clock, silenceClock, maxEventTime, asyncState, ...clocks }: Clocks): Uint8Array {
  const writer = new Writer();
  writer.u8(TASK_LAYOUT);
  for (const value of [clock, silenceClock, maxEventTime]) writer.f64(value);
  writer.text(asyncState);
  writer.f64(clocks.watermark);
  writer.u32(1);
  writer.u32(0);
  writer.text(clocks.settings);
  for (const names of [clocks.changes, clocks.reinjected]) {
    const taken = new Changes();
    for (const name of names) taken.add(name);
    taken.encode(writer);
  }
  return writer.take();
}

function settingsOf({ settings }: Clocks): Semantics {
  const read = readSettingsHeader(settings);
  if (read.settings) return read.settings;
  throw new MillraceError("state-layout-unknown", `the state's settings can't be read: ${read.problems.join("; ")}`);
}

/** Clocks that go back for no key. */
function commonClocks(sources: readonly Source[]): Clocks | null {
  const all = sources.flatMap(({ task, clocks }) => (clocks ? [{ task, ...clocks }] : []));
  const first = all[0];
  if (!first) return null;
  const other = all.find(({ asyncState }) => asyncState !== first.asyncState);
  if (other) {
    throw new MillraceError(
      "rescale-refused",
      `${first.task} has taken other control records than ${other.task}: ` +
        `${first.asyncState} and ${other.asyncState}. Give the command that appended them again ` +
        "(`npm run model -- promote …`), and wait until the processor has read it.",
    );
  }
  const unlike = all.find(({ settings, regimes }) => settings !== first.settings || regimes > 1);
  if (unlike) {
    throw new MillraceError(
      "rescale-refused",
      `${unlike.task} has other settings in force than ${first.task}, or sensors that have not switched yet. ` +
        "See `npm run settings -- show`; start the processor until it has read its input, and try again.",
    );
  }
  const limits = settingsOf(first);
  const times = all.map(({ maxEventTime }) => maxEventTime).filter((time) => time !== -Infinity);
  const spread = Math.max(...times) - Math.min(...times);
  // A task whose event time is far behind would lose windows that are still to fire.
  if (limits.watermark === "partition" && spread >= limits.allowedLatenessMs) {
    throw new MillraceError(
      "rescale-refused",
      `with one watermark per partition, the partitions' event times are ${spread} ms apart; ` +
        `they must be within the allowed lateness (${limits.allowedLatenessMs} ms)`,
    );
  }
  const most = (pick: (clocks: Clocks) => number): number => Math.max(...all.map(pick));
  return {
    clock: most(({ clock }) => clock),
    silenceClock: most(({ silenceClock }) => silenceClock),
    maxEventTime: most(({ maxEventTime }) => maxEventTime),
    asyncState: first.asyncState,
    watermark: most(({ watermark }) => watermark),
    settings: first.settings,
    regimes: 1,
    changes: [...new Set(all.flatMap(({ changes }) => changes))],
    reinjected: [...new Set(all.flatMap(({ reinjected }) => reinjected))],
  };
}

/** A key's entry, its last sign of life as far back on the new silence clock as on its task's. */
function onCommonClocks({ task, clocks }: Source, key: string, written: Uint8Array, silenceClock: number): Uint8Array {
  checkLayout(task, `key ${key}`, written[0]!, KEYED_LAYOUT);
  if (clocks === null) {
    const problem = `${task}: the snapshot has state of ${JSON.stringify(key)}, but no task entry. `;
    throw new MillraceError("snapshot-corrupt", `${problem}Run \`npm run recover\`.`);
  }
  const value = Uint8Array.from(written);
  const view = new DataView(value.buffer);
  const lastSeen = view.getFloat64(LAST_SEEN_AT, true);
  view.setFloat64(LAST_SEEN_AT, lastSeen + silenceClock - clocks.silenceClock, true);
  view.setUint32(REGIME_AT, 0, true);
  return value;
}

/** The key in `<operator>/<key>/<item>`. */
function keyOfItem(entryKey: string): string {
  return entryKey.slice(entryKey.indexOf("/") + 1, entryKey.lastIndexOf("/"));
}

function checkLayout(task: string, what: string, layout: number, known: number): void {
  if (layout === known) return;
  const problem = `${task}: the state of ${what} has layout ${layout}; this version can redistribute ${known}. `;
  throw new MillraceError("state-layout-unknown", `${problem}Let this version's processor write a snapshot first.`);
}
