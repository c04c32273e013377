import { type Semantics, imuChannels } from "../../domain/imu.ts";
import { topics } from "../../domain/topics.ts";
import { SessionStation } from "../sessions/session-station.ts";
import { imuStatistics } from "../windows/statistics.ts";
import { WindowStation } from "../windows/window-station.ts";
import { decodeImu, IMU_WIDTH } from "./decode-imu.ts";
import type { LateOutput } from "./late.ts";
import { OrderStation } from "./order-station.ts";
import type { Pipeline } from "./pipeline.ts";
import { TransformStation } from "./transform-station.ts";

/** The sensor pipeline: decode ▸ admit ▸ windows ▸ sessions ▸ order ▸ transform. */
export function sensorPipeline(semantics: Semantics): Pipeline {
  const late: LateOutput = { topic: topics.late.name, idField: "sensorId", width: imuChannels.length };
  return {
    name: "sensor",
    source: topics.imuData.name,
    width: IMU_WIDTH,
    decode: decodeImu,
    deadLetter: topics.deadLetter.name,
    limits: semantics,
    stations: () => [
      new WindowStation({ ...semantics, aggregate: imuStatistics, to: topics.aggregated.name, late }),
      new SessionStation({ ...semantics, to: topics.sessions.name, late }),
      new OrderStation({ width: IMU_WIDTH, late, stations: [new TransformStation(topics.transformed.name, semantics.transformedFormat)] }),
    ],
  };
}
