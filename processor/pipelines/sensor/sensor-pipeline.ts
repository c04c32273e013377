import { type Semantics, imuChannels } from "../../../domain/imu.ts";
import { topics } from "../../../domain/topics.ts";
import { InferenceOperator } from "../../inference/inference-operator.ts";
import { OrderOperator } from "../../operators/order-operator.ts";
import { SessionOperator } from "../../operators/session-operator.ts";
import { imuStatistics } from "../../operators/statistics.ts";
import { WindowOperator } from "../../operators/window-operator.ts";
import type { LateOutput } from "../../runtime/late.ts";
import type { Pipeline } from "../../runtime/pipeline.ts";
import { decodeImu, IMU_WIDTH } from "./decode-imu.ts";
import { TransformOperator } from "./transform-operator.ts";

/** Where the sessions stand among the operators. */
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
    operators: () => {
      const windows = new WindowOperator({ ...semantics, aggregate: imuStatistics, to: topics.aggregated.name, late });
      if (semantics.outputs === "windows") return [windows];
      const sessions = new SessionOperator({ ...semantics, to: topics.sessions.name, late });
      const transform = new TransformOperator(topics.transformed.name, semantics.transformedFormat);
      const inference = new InferenceOperator({
        ...semantics,
        to: topics.inference.name,
        credit: (keyed, interval) =>
          sessions.credit(keyed.slots[SESSIONS] as ReturnType<typeof sessions.create>, interval),
      });
      return [windows, sessions, new OrderOperator({ width: IMU_WIDTH, late, operators: [transform, inference] })];
    },
  };
}
