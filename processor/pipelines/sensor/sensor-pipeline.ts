import { ERASE_HEADER } from "../../../domain/controls.ts";
import {
  imuChannels,
  meanAccelerationInG,
  SENSOR_ID,
  type SessionWarning,
  windowChannels,
} from "../../../domain/imu.ts";
import type { Semantics } from "../../../domain/semantics.ts";
import { controlTypes, topics } from "../../../domain/topics.ts";
import { InferenceOperator } from "../../inference/inference-operator.ts";
import { Scoring, type ScoringPorts, WITHOUT_MODELS } from "../../inference/scoring.ts";
import { channelStatistics } from "../../operators/channel-statistics.ts";
import { OrderOperator } from "../../operators/order-operator.ts";
import { SequenceDeduplication } from "../../operators/sequence-deduplication.ts";
import { SequencedMessage } from "../../operators/sequenced-message.ts";
import { SessionOperator } from "../../operators/session-operator.ts";
import { WindowOperator } from "../../operators/window-operator.ts";
import { type LateOutput, rowsOf } from "../../runtime/late.ts";
import type { Rejection } from "../../runtime/message.ts";
import type { Operator } from "../../runtime/operator.ts";
import type { Pipeline } from "../../runtime/pipeline.ts";
import { decodeImu, IMU_WIDTH } from "./decode-imu.ts";
import { identify, KEY_FIELD } from "./identify.ts";
import { TransformOperator } from "./transform-operator.ts";

/** Where the sessions stand among the operators. */
const SESSIONS = 1;

const meanWarning = {
  code: "acceleration-in-g" satisfies SessionWarning,
  column: windowChannels.indexOf("accMag"),
  ...meanAccelerationInG,
};

const late: LateOutput<SequencedMessage> = {
  topic: topics.late.name,
  identify,
  verbatim: (message, from, to) => rowsOf(message, imuChannels.length, from, to),
};

/** The sensor pipeline: decode ▸ deduplicate ▸ windows ▸ sessions ▸ order ▸ transform ▸ inference. */
export function sensorPipeline(models: ScoringPorts = WITHOUT_MODELS): Pipeline<SequencedMessage> {
  return {
    name: "sensor",
    source: topics.imuData.name,
    deadLetter: topics.deadLetter.name,
    open: () => {
      const scoring = new Scoring(models);
      return {
        controls: { [controlTypes.model]: scoring.control, [controlTypes.erase]: checkErase },
        kept: [],
        asyncWork: scoring,
        build: (settings) => ({
          message: new SequencedMessage(IMU_WIDTH),
          decode: decodeImu,
          maxKeys: settings.maxSensorsPerPartition,
          deduplication: new SequenceDeduplication(settings),
          operators: settings.outputs === "windows" ? [windows(settings)] : allOperators(settings, scoring),
        }),
      };
    },
  };
}

/** The machine drops the key's state: the operators keep nothing of it elsewhere. */
function checkErase({ [ERASE_HEADER]: sensorId }: Readonly<Record<string, string>>): Rejection | null {
  if (sensorId !== undefined && SENSOR_ID.test(sensorId)) return null;
  const message = `the header ${ERASE_HEADER} is no id of a sensor; ${SENSOR_ID.source} is expected`;
  return { code: "invalid-message", message };
}

function windows(semantics: Semantics): WindowOperator<SequencedMessage> {
  const aggregate = channelStatistics(windowChannels);
  return new WindowOperator({ ...semantics, aggregate, to: topics.aggregated.name, keyField: KEY_FIELD, late });
}

function allOperators(semantics: Semantics, scoring: Scoring): Operator<unknown, SequencedMessage>[] {
  const sessions = new SessionOperator({
    ...semantics,
    to: topics.sessions.name,
    keyField: KEY_FIELD,
    late,
    meanWarning,
  });
  const transform = new TransformOperator(topics.transformed.name, semantics.transformedFormat);
  const inference = new InferenceOperator({
    ...semantics,
    scoring,
    to: topics.inference.name,
    keyField: KEY_FIELD,
    late,
    credit: ({ operatorStates }, interval) =>
      sessions.credit(operatorStates[SESSIONS] as ReturnType<typeof sessions.create>, interval),
  });
  const order = new OrderOperator({
    ...semantics,
    width: IMU_WIDTH,
    receivedWidth: imuChannels.length,
    late,
    operators: [transform, inference],
  });
  return [windows(semantics), sessions, order];
}
