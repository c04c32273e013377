import type { ActivityStretch, Sensor, SensorWindow, Session } from "../../domain/api.ts";
import { windowChannels } from "../../domain/imu.ts";
import { type InferenceRecord, outputRecords, type WindowRecord } from "../../domain/records.ts";
import { now } from "./market-records.ts";

const LABELS = ["SEATED", "SITTING_DOWN", "STANDING_UP", "TURNING", "WALKING"];

/** A sensor with a session. */
export function sensorOf(sensorId: string, lastSeen: number): Sensor {
  return { sensorId, firstSeen: now, lastSeen, sessions: 1, samples: 1_500, rejected: 0 };
}

/** A window of a second whose channels are all still at a value. */
export function windowOf(
  sensorId: string,
  start: number,
  value: number,
  rest: Partial<WindowRecord> = {},
): WindowRecord {
  const still = { mean: value, std: 0, min: value, max: value, rms: Math.abs(value) };
  return outputRecords.aggregated.parse({
    id: `imu-data-all/3/${start}/0`,
    schema: 1,
    sensorId,
    operator: "tumbling-1000",
    window: { start, end: start + 1_000 },
    revision: 0,
    cause: "watermark",
    count: 100,
    channels: Object.fromEntries(windowChannels.map((name) => [name, still])),
    ...rest,
  });
}

/** The same, as the API lists it. */
export function listedWindow(
  sensorId: string,
  start: number,
  value: number,
  rest: Partial<WindowRecord> = {},
): SensorWindow {
  const { schema: _, ...window } = windowOf(sensorId, start, value, rest);
  return window;
}

/** A model is 90 % sure of this label, and the others share the rest. */
export function inferenceOf(sensorId: string, start: number, label: string): InferenceRecord {
  return outputRecords.inference.parse({
    id: `imu-data-all/3/${start}/1`,
    schema: 1,
    sensorId,
    window: { start, end: start + 250 },
    model: { name: "activity", version: "1.2.0" },
    label,
    probabilities: probabilitiesOf(label),
  });
}

export function stretchOf(sensorId: string, start: number, end: number, label: string): ActivityStretch {
  const inferences = Math.round((end - start) / 250);
  return { sensorId, start, end, label, probabilities: probabilitiesOf(label), inferences, model: "activity 1.2.0" };
}

function probabilitiesOf(label: string): Record<string, number> {
  return Object.fromEntries(LABELS.map((name) => [name, name === label ? 0.9 : 0.025]));
}

/** A session that has ended, of a hundred readings a second. */
export function sessionOf(sensorId: string, start: number, end: number, rest: Partial<Session> = {}): Session {
  return {
    sensorId,
    sessionId: `${sensorId}@${start}`,
    status: "ended",
    start,
    end,
    samples: Math.floor((end - start) / 10),
    revision: 0,
    warnings: [],
    supersedes: [],
    ...rest,
  };
}
