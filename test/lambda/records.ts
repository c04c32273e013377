import { windowChannels } from "../../domain/imu.ts";

/** Records of the derived topics, as the processor writes them. */
export function started(
  sensorId: string,
  start: number,
  options: { offset?: number; supersedes?: string[] } = {},
): Record<string, unknown> {
  const { offset = 0, supersedes = [] } = options;
  return {
    id: `imu-data-all/0/${offset}/0`,
    schema: 1,
    type: "started",
    sessionId: `${sensorId}@${start}`,
    sensorId,
    start,
    supersedes,
  };
}

export function ended(
  sensorId: string,
  start: number,
  end: number,
  samples: number,
  options: {
    offset?: number;
    revision?: number;
    supersedes?: string[];
    activity?: Record<string, number>;
    warnings?: string[];
  } = {},
): Record<string, unknown> {
  const { offset = 0, revision = 0, supersedes = [], activity, warnings } = options;
  return {
    id: `imu-data-all/0/${offset}/0`,
    schema: 1,
    type: "ended",
    sessionId: `${sensorId}@${start}`,
    sensorId,
    start,
    end,
    samples,
    revision,
    cause: "watermark",
    supersedes,
    ...(activity ? { activity } : {}),
    ...(warnings ? { warnings } : {}),
  };
}

export function windowed(
  sensorId: string,
  start: number,
  options: { offset?: number; revision?: number; count?: number; lengthMs?: number } = {},
): Record<string, unknown> {
  const { offset = 0, revision = 0, count = 100, lengthMs = 1_000 } = options;
  const channels = Object.fromEntries(
    windowChannels.map((name, i) => [name, { mean: i + 0.5, std: 0.25, min: i, max: i + 1, rms: i + 0.6 }]),
  );
  return {
    id: `imu-data-all/0/${offset}/0`,
    schema: 1,
    sensorId,
    operator: `tumbling-${lengthMs}`,
    window: { start, end: start + lengthMs },
    revision,
    cause: revision === 0 ? "watermark" : "late",
    count,
    channels,
  };
}

/** An inference record of one hop; `label: null` is what a model gives that has no finite number. */
export function inferred(
  sensorId: string,
  start: number,
  options: { offset?: number; label?: string | null; shadow?: string | null } = {},
): Record<string, unknown> {
  const { offset = 0, label = "WALKING", shadow } = options;
  return {
    id: `imu-data-all/0/${offset}/0`,
    schema: 1,
    sensorId,
    window: { start, end: start + 250 },
    model: { name: "activity", version: "3" },
    label,
    probabilities: label === null ? null : { WALKING: 0.75, SITTING: 0.25 },
    ...(shadow === undefined
      ? {}
      : { shadow: { model: { name: "activity", version: "4" }, label: shadow, agrees: shadow === label } }),
  };
}
