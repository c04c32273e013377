import { DAY, HOUR, MINUTE, SECOND } from "./time.ts";

/** What every setting of the semantics has. */
interface Described {
  /** Environment variable of the processor. */
  readonly env: string;
  /** Option of `npm run replay`, without the dashes. */
  readonly option: string;
  /** What it is, with its unit. */
  readonly doc: string;
}

/** A whole number from `min` to `max`, both inclusive. */
export interface NumberSetting extends Described {
  readonly unit: "ms" | "percent" | "count";
  readonly min: number;
  readonly max: number;
  readonly default: number;
}

/** One of several words. */
export interface ChoiceSetting extends Described {
  readonly choices: readonly [string, ...string[]];
  readonly default: string;
}

export type SemanticsSetting = NumberSetting | ChoiceSetting;

/**
 * The one table of the settings that decide what the outputs are. The processor's environment, `processor.semantics` of
 * an environment's config, the options of a replay and the table in docs/replay.md follow it.
 */
export const semanticsTable = {
  /** Length of a window. */
  windowMs: {
    env: "WINDOW_MS",
    option: "window",
    unit: "ms",
    min: 1,
    max: DAY,
    default: SECOND,
    doc: "length of a window, ms",
  },
  /** Distance between the starts of two windows; equal to `windowMs` for tumbling windows. */
  slideMs: {
    env: "SLIDE_MS",
    option: "slide",
    unit: "ms",
    min: 1,
    max: DAY,
    default: SECOND,
    doc: "distance between window starts, ms; at most the window",
  },
  /** How long a window that has fired still takes readings. */
  allowedLatenessMs: {
    env: "ALLOWED_LATENESS_MS",
    option: "lateness",
    unit: "ms",
    min: 0,
    max: 30 * DAY,
    default: 5 * MINUTE,
    doc: "how long a fired window still takes readings, ms",
  },
  /** How far the watermark stays behind the highest event time. */
  outOfOrdernessMs: {
    env: "OUT_OF_ORDERNESS_MS",
    option: "out-of-orderness",
    unit: "ms",
    min: 0,
    max: DAY,
    default: 500,
    doc: "how far readings may be out of order, ms",
  },
  /** Longest pause between two samples of one session. */
  sessionGapMs: {
    env: "SESSION_GAP_MS",
    option: "session-gap",
    unit: "ms",
    min: 1,
    max: DAY,
    default: 5 * SECOND,
    doc: "longest pause between two samples of one session, ms",
  },
  /** Silence after which a sensor is idle: what it has open fires. */
  idleTimeoutMs: {
    env: "IDLE_TIMEOUT_MS",
    option: "idle-timeout",
    unit: "ms",
    min: 1,
    max: DAY,
    default: 10 * SECOND,
    doc: "silence after which a sensor is idle, ms",
  },
  /** How far ahead of its record's timestamp a sample may be. */
  futureGuardMs: {
    env: "FUTURE_GUARD_MS",
    option: "future-guard",
    unit: "ms",
    min: 0,
    max: DAY,
    default: MINUTE,
    doc: "how far ahead of its record a sample may be, ms",
  },
  /** Silence after which a sensor's windows and sessions are forgotten and a tombstone stays. */
  expiryMs: {
    env: "EXPIRY_MS",
    option: "expiry",
    unit: "ms",
    min: 1,
    max: 365 * DAY,
    default: 24 * HOUR,
    doc: "silence after which windows and sessions are forgotten, ms",
  },
  /** How much longer the tombstone (watermark, boots, seen numbers) stays. */
  tombstoneMs: {
    env: "TOMBSTONE_MS",
    option: "tombstone",
    unit: "ms",
    min: 0,
    max: 3_650 * DAY,
    default: 30 * DAY,
    doc: "how much longer watermark and seen numbers stay, ms",
  },
  /** Whether each sensor has a watermark of its own, or all of a partition share one. */
  watermark: {
    env: "WATERMARK_SCOPE",
    option: "watermark",
    choices: ["sensor", "partition"],
    default: "sensor",
    doc: "one watermark per sensor or per partition",
  },
  /** Intervals of seen sequence numbers that are kept per sensor. */
  maxIntervalsPerSensor: {
    env: "MAX_INTERVALS_PER_SENSOR",
    option: "max-intervals",
    unit: "count",
    min: 1,
    max: 100_000,
    default: 1_000,
    doc: "intervals of seen numbers kept per sensor",
  },
  /** Boots whose seen sequence numbers are kept per sensor. */
  maxBootsPerSensor: {
    env: "MAX_BOOTS_PER_SENSOR",
    option: "max-boots",
    unit: "count",
    min: 1,
    max: 10_000,
    default: 100,
    doc: "boots kept per sensor",
  },
  /** Form of `sensor-data-transformed` values. */
  transformedFormat: {
    env: "TRANSFORMED_FORMAT",
    option: "transformed",
    choices: ["packed", "json"],
    default: "packed",
    doc: "form of sensor-data-transformed",
  },
  /** The share of the previous hop's probabilities in a hop's: labels flicker less and change later. */
  smoothingPercent: {
    env: "SMOOTHING_PERCENT",
    option: "smoothing",
    unit: "percent",
    min: 0,
    max: 95,
    default: 0,
    doc: "share of the previous hop's probabilities in a hop's, percent",
  },
  /** `windows`: deduplication and windows alone, without sessions, samples and scores. */
  outputs: {
    env: "OUTPUTS",
    option: "outputs",
    choices: ["all", "windows"],
    default: "all",
    doc: "everything, or windows alone",
  },
} as const satisfies Record<string, SemanticsSetting>;

type Table = typeof semanticsTable;
type ValueOf<S extends SemanticsSetting> = S extends ChoiceSetting ? S["choices"][number] : number;

/** The settings that decide what the outputs are; see `semanticsTable`. */
export type Semantics = { readonly [K in keyof Table]: ValueOf<Table[K]> };

/** The settings by name, in the order of the table. */
export const semanticsSettings = Object.entries(semanticsTable) as [keyof Semantics, SemanticsSetting][];

export const defaultSemantics = Object.fromEntries(
  semanticsSettings.map(([name, setting]) => [name, setting.default]),
) as unknown as Semantics;

/** The defaults with what is given; undefined gives nothing. */
export function semanticsOf(given: { readonly [K in keyof Semantics]?: Semantics[K] | undefined }): Semantics {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaultSemantics, ...Object.fromEntries(set) };
}

/** The semantics among other settings: nothing else may enter the fingerprint of what decides outputs. */
export function pickSemantics(settings: Semantics): Semantics {
  return Object.fromEntries(semanticsSettings.map(([name]) => [name, settings[name]])) as unknown as Semantics;
}

/** Settings that contradict one another, each as a sentence. */
export function semanticsProblems(semantics: Semantics): string[] {
  const { windowMs, slideMs, allowedLatenessMs, futureGuardMs, expiryMs, idleTimeoutMs } = semantics;
  const rules: [boolean, string][] = [
    [
      slideMs > windowMs,
      `slideMs is ${slideMs}, more than windowMs (${windowMs}): readings between windows would be dropped`,
    ],
    [
      futureGuardMs >= allowedLatenessMs,
      `futureGuardMs is ${futureGuardMs}, not below allowedLatenessMs (${allowedLatenessMs}): ` +
        "one wrong clock could make everything late",
    ],
    [expiryMs <= allowedLatenessMs, `expiryMs is ${expiryMs}, not above allowedLatenessMs (${allowedLatenessMs})`],
    [expiryMs <= idleTimeoutMs, `expiryMs is ${expiryMs}, not above idleTimeoutMs (${idleTimeoutMs})`],
  ];
  return rules.filter(([broken]) => broken).map(([, sentence]) => sentence);
}
