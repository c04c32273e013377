import { z } from "zod";
import { MODEL_HEADER } from "./models.ts";
import { referenceHeaders } from "./reference.ts";
import { defaultSemantics, semanticsProblems, semanticsSettings, type Semantics } from "./semantics.ts";
import type { ControlType } from "./topics.ts";

/**
 * Version of each kind of control record that this program reads. A task's progress names them, so that nobody appends
 * what a running task can't read.
 */
export const controlVersions: Readonly<Record<ControlType, number>> = {
  tick: 1,
  model: 1,
  settings: 1,
  reference: 1,
  erase: 1,
};

/** Header that names a change: all its control records, one a partition, have the same. A task takes it once. */
export const CHANGE_HEADER = "change";
/** A change is named in at most so many characters of printable ASCII. */
export const CHANGE = /^[\x21-\x7e]{1,128}$/;
/** Changes that a task remembers. One that comes again behind so many others is taken again. */
export const MAX_CHANGES = 1_000;

/** Header of a tick that `restore` appends to a new log: names the log with whose state its tasks began. */
export const CONTINUES_HEADER = "continues";

/** Header of a `settings` control record: the whole set as JSON, by the names of `semanticsTable`. */
export const SETTINGS_HEADER = "settings";

/** Header of an `erase` control record: the key whose state is dropped. */
export const ERASE_HEADER = "erase";
/**
 * Type of what `erase` leaves of a record in the lake: partition, offset and timestamp. It acts as a tick, and moves
 * the partition's watermark to its event time, where the record did.
 */
export const ERASED = "erased";
/** Header of such a record: highest event time of the partition behind it, epoch ms. */
export const EVENT_TIME_HEADER = "event-time";

/** The header of each kind of control record that says what changes. */
export const controlHeaders = {
  model: MODEL_HEADER,
  settings: SETTINGS_HEADER,
  reference: referenceHeaders.text,
  erase: ERASE_HEADER,
} as const satisfies Record<Exclude<ControlType, "tick">, string>;

/** The value of a record of `millrace-changes`; its key is `<topic>/<type>`. */
export const changeRecord = z.object({
  /** Names the change. */
  id: z.string(),
  /** What the control records' own header says. */
  value: z.string(),
  /** Whether each partition has its control record. */
  done: z.boolean(),
});
export type ChangeRecord = z.infer<typeof changeRecord>;

/** Group under which `millrace-changes` and `millrace-progress` are read by commands. */
export const changeGroup = "millrace-changes";

/** What a `settings` header says, or what is wrong with it. */
export type SettingsRead =
  | { readonly settings: Semantics; readonly problems: readonly [] }
  | { readonly settings: null; readonly problems: readonly string[] };

/** The header of a `settings` record. Names stand in the order of the table, so that equal sets are equal texts. */
export function settingsHeader(settings: Semantics): string {
  return JSON.stringify(Object.fromEntries(semanticsSettings.map(([name]) => [name, settings[name]])));
}

/**
 * Reads the header of a `settings` record. It has the whole set; a setting that is younger than the record has its
 * default (`since` in the table).
 */
export function readSettingsHeader(header: string | undefined): SettingsRead {
  const received = parseJson(header);
  if (received === null || typeof received !== "object" || Array.isArray(received)) {
    return { settings: null, problems: [`a JSON object is expected, received was ${header ?? "no header"}`] };
  }
  return readSettings(received as Readonly<Record<string, unknown>>);
}

function readSettings(received: Readonly<Record<string, unknown>>): SettingsRead {
  const problems = Object.keys(received)
    .filter((name) => !Object.hasOwn(defaultSemantics, name))
    .map((name) => `${name} is no setting`);
  for (const [name, setting] of semanticsSettings) {
    const value = received[name];
    if (value === undefined && setting.since === undefined) problems.push(`${name} is missing`);
    if (value === undefined) continue;
    if ("choices" in setting) {
      if (!(setting.choices as readonly unknown[]).includes(value))
        problems.push(`${name} is ${JSON.stringify(value)}; ${setting.choices.join(" or ")} is expected`);
    } else if (!(Number.isInteger(value) && (value as number) >= setting.min && (value as number) <= setting.max)) {
      const range = `a whole number from ${setting.min} to ${setting.max}`;
      problems.push(`${name} is ${JSON.stringify(value)}; ${range} is expected`);
    }
  }
  if (problems.length > 0) return { settings: null, problems };
  const settings = { ...defaultSemantics, ...received } as Semantics;
  const contradictions = semanticsProblems(settings);
  return contradictions.length > 0 ? { settings: null, problems: contradictions } : { settings, problems: [] };
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}
