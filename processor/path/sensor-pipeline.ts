import { type Semantics, imuChannels } from "../../domain/imu.ts";
import { topics } from "../../domain/topics.ts";
import { InferenceStation } from "../inference/inference-station.ts";
import { SessionStation } from "../sessions/session-station.ts";
import { imuStatistics } from "../windows/statistics.ts";
import { WindowStation } from "../windows/window-station.ts";
import { decodeImu, IMU_WIDTH } from "./decode-imu.ts";
import type { LateOutput } from "./late.ts";
import { OrderStation } from "./order-station.ts";
import type { Pipeline } from "./pipeline.ts";
import { TransformStation } from "./transform-station.ts";

/** Where the sessions stand among the stations. */
const SESSIONS = 1;

/** The sensor pipeline: decode ▸ admit ▸ windows ▸ sessions ▸ order ▸ transform ▸ inference. */
export function sensorPipeline(semantics: Semantics): Pipeline {
  const late: LateOutput = { topic: topics.late.name, idField: "sensorId", width: imuChannels.length };
  return {
    name: "sensor",
    source: topics.imuData.name,
    width: IMU_WIDTH,
    decode: decodeImu,
    deadLetter: topics.deadLetter.name,
    limits: semantics,
    stations: () => {
      const windows = new WindowStation({ ...semantics, aggregate: imuStatistics, to: topics.aggregated.name, late });
      if (semantics.outputs === "windows") return [windows];
      const sessions = new SessionStation({ ...semantics, to: topics.sessions.name, late });
      const transform = new TransformStation(topics.transformed.name, semantics.transformedFormat);
      const inference = new InferenceStation({
        ...semantics,
        to: topics.inference.name,
        credit: (keyed, interval) =>
          sessions.credit(keyed.slots[SESSIONS] as ReturnType<typeof sessions.create>, interval),
      });
      return [windows, sessions, new OrderStation({ width: IMU_WIDTH, late, stations: [transform, inference] })];
    },
  };
}
