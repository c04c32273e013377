import { SETTINGS_HEADER, settingsHeader } from "../../domain/controls.ts";
import type { ImuMessage, ImuSample } from "../../domain/imu-message.ts";
import { MODEL_HEADER, type ModelManifest } from "../../domain/models.ts";
import { encodePackedImu } from "../../domain/packed-imu.ts";
import { referenceHeaders } from "../../domain/reference.ts";
import { defaultSemantics } from "../../domain/semantics.ts";
import { contentTypes, controlTypes, headers } from "../../domain/topics.ts";
import type { Model } from "../../processor/inference/model.ts";
import type { ScoringPorts } from "../../processor/inference/scoring.ts";

/** A record of a log, before it has an offset. */
export interface Input {
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: Uint8Array | string | null;
  readonly headers: Readonly<Record<string, string>>;
}

const START = Date.UTC(2026, 0, 13, 14, 30);
const SENSOR = "s1";
/** Readings at 10 Hz, five in a message. */
const MESSAGE_MS = 500;
const READINGS = 5;

/** A model that gives every hop the same probabilities, and counts its runs of a sensor in the recurrent state. */
const model: Model = {
  reference: { name: "constant", version: "1.0.0", sha256: "0".repeat(64) },
  manifest: {
    labels: ["walk", "rest"],
    sampleRateHz: 10,
    hopMs: 1_000,
    decisionDelayMs: 0,
    resetGapMs: 2_000,
  } as unknown as ModelManifest,
  rows: 10,
  stateSize: 1,
  batch: 1,
  run: (_readings, [runs = 0]) =>
    Promise.resolve({ probabilities: Float32Array.of(0.75, 0.25), state: Float32Array.of(runs + 1) }),
};

/** The golden logs' model store. */
export const goldenModels: ScoringPorts = { source: { load: () => Promise.resolve(model) }, refused: () => undefined };

function control(type: string, said: Readonly<Record<string, string>> = {}, timestamp = START): Input {
  return { timestamp, key: null, value: null, headers: { [headers.type]: type, ...said } };
}

/** A message with readings of x = `seq` and z = 9.8, half a second each. */
function message(seq: number, { t = START + seq * MESSAGE_MS, key = SENSOR, packed = false } = {}): Input {
  const samples = Array.from({ length: READINGS }, (): ImuSample => [seq, 0, 9.8, 0, 0, 0]);
  const body: ImuMessage = { seq, boot: "b1", t, hz: 10, samples };
  const timestamp = START + seq * MESSAGE_MS + 600;
  return packed
    ? { timestamp, key, value: encodePackedImu(body), headers: { [headers.contentType]: contentTypes.imuPacked } }
    : { timestamp, key, value: JSON.stringify(body), headers: {} };
}

/** What the snapshot is taken behind, and what comes after it. */
export interface GoldenLog {
  readonly before: readonly Input[];
  readonly after: readonly Input[];
}

/**
 * A sensor whose window and session are open at the snapshot, with a gap in its numbers, hops that were scored and a
 * second sensor; then what it takes to close all that.
 */
export const sensorLog: GoldenLog = {
  before: [
    control(controlTypes.settings, { [SETTINGS_HEADER]: settingsHeader(defaultSemantics), change: "first" }),
    control(controlTypes.model, { [MODEL_HEADER]: JSON.stringify({ stage: "live", model: model.reference }) }),
    ...[0, 1, 2, 3, 4].map((seq) => message(seq)),
    message(6), // waits for 5
    message(0, { key: "s2" }),
    { timestamp: START + 3_700, key: SENSOR, value: "no JSON", headers: {} },
    control(controlTypes.tick, {}, START + 3_800),
  ],
  after: [
    message(1), // was counted
    message(5),
    message(7, { packed: true }),
    message(8),
    message(9, { t: START - 3_600_000 }), // too late for its window
    control(controlTypes.settings, {
      [SETTINGS_HEADER]: settingsHeader({ ...defaultSemantics, windowMs: 2_000, slideMs: 2_000 }),
      change: "second",
    }),
    ...[10, 11, 12, 13, 14, 15].map((seq) => message(seq)),
    ...Array.from({ length: 15 }, (_, i) => control(controlTypes.tick, {}, START + 9_000 + i * 1_000)),
  ],
};

function trade(timestamp: number, fields: object): Input {
  const value = JSON.stringify({ symbol: "AAPL", timestamp, ...fields });
  return { timestamp: Math.max(timestamp, START), key: "AAPL", value, headers: {} };
}

/** A market whose bar and position are open at the snapshot; then trades that close the bar, and one is cancelled. */
export const marketLog: GoldenLog = {
  before: [
    control(controlTypes.reference, {
      [referenceHeaders.version]: "v1",
      [referenceHeaders.part]: "0",
      [referenceHeaders.parts]: "1",
      [referenceHeaders.text]: JSON.stringify({
        version: "v1",
        rates: { EUR: 1.25 },
        rules: [{ name: "big", kind: "trade-amount", severity: "LOW", maxUsd: 10 }],
      }),
    }),
    trade(START, { trade_id: "1", price: 5, quantity: 4, side: "sell", account: "A" }),
    trade(START + 1, { trade_id: "2", price: 4, quantity: 1, currency: "EUR", status: "pending" }),
  ],
  after: [
    trade(START, { trade_id: "1", price: 5, quantity: 4, side: "sell", account: "A" }), // was counted
    trade(START + 1, { trade_id: "2", price: 4, quantity: 1, currency: "EUR" }), // was pending
    trade(START + 120_000, { trade_id: "3", price: 6, quantity: 2, side: "buy", account: "A" }),
    trade(START, { trade_id: "1", price: 5, quantity: 4, side: "sell", account: "A", status: "cancelled" }),
    trade(START - 900_000, { trade_id: "4", price: 6, quantity: 1 }), // too late for its windows
  ],
};
