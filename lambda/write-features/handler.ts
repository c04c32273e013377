import { PutRecordCommand, type FeatureValue } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import type { z } from "zod";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { barFeaturesId } from "../../domain/features.ts";
import { outputRecords } from "../../domain/records.ts";
import { topics } from "../../domain/topics.ts";
import { failureQueue } from "../shared/failure-queue.ts";
import { featureStoreClient } from "../shared/feature-store.ts";
import { batchFunction, parseRecords, placeOf, type KafkaRecord } from "../shared/kafka-event.ts";
import { barFeatures, isRefusal, newestOfEach, windowFeatures, type Windowed } from "./feature-record.ts";

/** Calls in flight, at most. */
const CONCURRENCY = 16;

const settings = readSettings("writeFeatures", process.env);
const log = createLogger("write-features", settings.logLevel);
const featureStore = featureStoreClient(settings.region, settings.featureStoreEndpoint);
const sendFailure = failureQueue("write-features", settings);

/** Features that are to be written, and the record that they came from. */
interface Write {
  readonly record: KafkaRecord;
  /** How a log line names it. */
  readonly about: Readonly<Record<string, unknown>>;
  readonly group: string;
  readonly features: FeatureValue[];
}

/** What became of records: the features to write, and records that can't be read. */
interface Planned {
  readonly writes: readonly Write[];
  readonly refused: readonly KafkaRecord[];
}

function plan<R extends Windowed>(
  group: string,
  schema: z.ZodType<R>,
  identifierOf: (record: R) => string,
  toFeatures: (record: R) => FeatureValue[],
): (records: readonly KafkaRecord[]) => Planned {
  return (records) => {
    const { taken, refused } = parseRecords(records, schema, log);
    const writes = newestOfEach(taken, identifierOf).map(({ record, value }) => ({
      record,
      about: { ...placeOf(record), identifier: identifierOf(value), id: value.id },
      group,
      features: toFeatures(value),
    }));
    return { writes, refused };
  };
}

const plans: Readonly<Record<string, (records: readonly KafkaRecord[]) => Planned>> = {
  [topics.aggregated.name]: plan(
    settings.featureGroup,
    outputRecords.aggregated,
    ({ sensorId }) => sensorId,
    windowFeatures,
  ),
  [topics.marketAggregated.name]: plan(
    settings.marketFeatureGroup,
    outputRecords.marketAggregated,
    ({ symbol, operator }) => barFeaturesId(symbol, operator),
    barFeatures,
  ),
};

/**
 * Windows to the feature store: the newest window of each sensor, and the newest bar of each symbol and window
 * operator. A record that would be refused again goes to the failure queue at once; the others are written.
 */
export const handler = batchFunction(log, async (records) => {
  const planned = Object.entries(Object.groupBy(records, ({ topic }) => topic)).map(([topic, ofTopic = []]) => {
    const ofThis = plans[topic];
    if (!ofThis) throw new Error(`no feature group takes records of ${topic}`);
    return ofThis(ofTopic);
  });
  const waiting = planned.flatMap(({ writes }) => writes);
  const failed: KafkaRecord[] = planned.flatMap(({ refused }) => refused);
  const work = async (): Promise<void> => {
    for (let item = waiting.pop(); item; item = waiting.pop()) if (!(await isDone(item))) failed.push(item.record);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return failed;
});

/** Whether features need no further delivery: they are written, or in the failure queue. */
async function isDone({ record, about, group, features }: Write): Promise<boolean> {
  try {
    await featureStore.send(new PutRecordCommand({ FeatureGroupName: group, Record: features }));
    return true;
  } catch (error) {
    if (!isRefusal(error)) {
      log.warn({ err: error, ...about }, "features were not written and will be delivered again");
      return false;
    }
    log.error({ err: error, ...about }, "features were refused, and would be again: they go to the failure queue");
    return sendFailure(record, error as Error).then(
      () => true,
      (reason: unknown) => {
        log.warn({ err: reason, ...about }, "the failure queue did not take them: they will be delivered again");
        return false;
      },
    );
  }
}
