import { DAY, HOUR, MAX_EPOCH_MS, MINUTE, SECOND } from "./time.ts";

const KIBIBYTE = 1_024;
const MEBIBYTE = 1_024 * KIBIBYTE;

/** What every setting of the semantics has. */
interface Described {
  /** Environment variable of the processor. */
  readonly env: string;
  /** Option of `npm run replay`, without the dashes. */
  readonly option: string;
  /** What it is, with its unit. */
  readonly doc: string;
  /** Release that brought it, for one that is younger than `settings` records: those before lack it. */
  readonly since?: string;
}

/** A whole number from `min` to `max`, both inclusive. */
export interface NumberSetting extends Described {
  readonly unit: "ms" | "percent" | "count" | "bytes";
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
  /** The earliest time of a sample. Partitions of the lake begin there. */
  earliestTimeMs: {
    env: "EARLIEST_TIME_MS",
    option: "earliest-time",
    unit: "ms",
    min: -MAX_EPOCH_MS,
    max: MAX_EPOCH_MS,
    default: Date.UTC(2016, 0, 1),
    doc: "earliest time of a sample, epoch ms",
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
  /** Let-go boots that are remembered per sensor. */
  maxLetGoBootsPerSensor: {
    env: "MAX_LET_GO_BOOTS_PER_SENSOR",
    option: "max-let-go-boots",
    unit: "count",
    min: 0,
    max: 100_000,
    default: 1_000,
    doc: "let-go boots remembered per sensor",
  },
  /** Messages of a sensor that wait for those before them. */
  maxWaitingMessages: {
    env: "MAX_WAITING_MESSAGES",
    option: "max-waiting",
    unit: "count",
    min: 1,
    max: 100_000,
    default: 256,
    doc: "messages of a sensor that wait for their order",
  },
  /** Size of the numbers of these messages: eight bytes for each time and each value. */
  maxWaitingBytes: {
    env: "MAX_WAITING_BYTES",
    option: "max-waiting-bytes",
    unit: "bytes",
    min: 1,
    max: 256 * MEBIBYTE,
    default: MEBIBYTE,
    doc: "bytes of these messages, 8 for each time and value",
  },
  /** Hops that one message may cause. */
  maxHopsPerMessage: {
    env: "MAX_HOPS_PER_MESSAGE",
    option: "max-hops",
    unit: "count",
    min: 1,
    max: 100_000,
    default: 1_000,
    doc: "hops that a message may cause",
  },
  /** Sensors in a partition's state, and tombstones beside them. */
  maxSensorsPerPartition: {
    env: "MAX_SENSORS_PER_PARTITION",
    option: "max-sensors",
    unit: "count",
    min: 1,
    max: 10_000_000,
    default: 100_000,
    doc: "sensors in a partition's state; as many tombstones",
  },
  /** Symbols in a partition's state of the market, and tombstones beside them. */
  maxSymbolsPerPartition: {
    env: "MAX_SYMBOLS_PER_PARTITION",
    option: "max-symbols",
    unit: "count",
    min: 1,
    max: 1_000_000,
    default: 10_000,
    doc: "symbols in a partition's state; as many tombstones",
    since: "0.2.0",
  },
  /** Trades of a partition whose ids are kept. */
  maxTradesPerPartition: {
    env: "MAX_TRADES_PER_PARTITION",
    option: "max-trades",
    unit: "count",
    min: 1,
    max: 10_000_000,
    default: 1_000_000,
    doc: "trades of a partition whose ids are kept",
    since: "0.2.0",
  },
  /** Accounts of a symbol whose positions are kept. */
  maxAccountsPerSymbol: {
    env: "MAX_ACCOUNTS_PER_SYMBOL",
    option: "max-accounts",
    unit: "count",
    min: 1,
    max: 1_000_000,
    default: 10_000,
    doc: "accounts of a symbol whose positions are kept",
    since: "0.2.0",
  },
  /** Positions that a partition keeps for good, and as many last closes. */
  maxKeptPerPartition: {
    env: "MAX_KEPT_PER_PARTITION",
    option: "max-kept",
    unit: "count",
    min: 1,
    max: 10_000_000,
    default: 200_000,
    doc: "positions that a partition keeps, and last closes",
    since: "0.2.0",
  },
  /** Sensors that go idle in one step. */
  maxSensorsPerStep: {
    env: "MAX_SENSORS_PER_STEP",
    option: "max-sensors-per-step",
    unit: "count",
    min: 1,
    max: 1_000_000,
    default: 1_000,
    doc: "sensors that go idle in a step; the rest in the next",
  },
  /** Key, value and headers of an output record. */
  maxOutputBytes: {
    env: "MAX_OUTPUT_BYTES",
    option: "max-output-bytes",
    unit: "bytes",
    min: 128 * KIBIBYTE,
    max: 900 * KIBIBYTE,
    default: 900 * KIBIBYTE,
    doc: "key, value and headers of an output record",
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

/** Windows that a reading may be in. */
const MAX_OVERLAP = 100;
/** Windows that a sensor may keep for late readings. */
const MAX_KEPT_WINDOWS = 100_000;

/** Settings that contradict one another, each as a sentence. */
export function semanticsProblems(semantics: Semantics): string[] {
  const { windowMs, slideMs, allowedLatenessMs, futureGuardMs, expiryMs, idleTimeoutMs } = semantics;
  const overlap = Math.ceil(windowMs / slideMs);
  const kept = Math.ceil((allowedLatenessMs + windowMs) / slideMs);
  const rules: [boolean, string][] = [
    [
      slideMs > windowMs,
      `slideMs is ${slideMs}, more than windowMs (${windowMs}): readings between windows would be dropped`,
    ],
    [
      overlap > MAX_OVERLAP,
      `windowMs is ${windowMs} and slideMs ${slideMs}: a reading would be in ${overlap} windows; ` +
        `${MAX_OVERLAP} are allowed`,
    ],
    [
      kept > MAX_KEPT_WINDOWS,
      `allowedLatenessMs is ${allowedLatenessMs} and slideMs ${slideMs}: a sensor would keep ${kept} windows; ` +
        `${MAX_KEPT_WINDOWS} are allowed`,
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
