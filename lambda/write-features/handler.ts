import { PutRecordCommand } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { windowRecord, type WindowRecord } from "../../domain/records.ts";
import { failureQueue } from "../shared/failure-queue.ts";
import { featureStoreClient } from "../shared/feature-store.ts";
import { batchFunction, parseRecords, type KafkaRecord, type Read } from "../shared/kafka-event.ts";
import { isRefusal, newestPerSensor, toFeatureRecord } from "./feature-record.ts";

/** Calls in flight, at most. */
const CONCURRENCY = 16;

const settings = readSettings("writeFeatures", process.env);
const log = createLogger("write-features", settings.logLevel);
const featureStore = featureStoreClient(settings.region, settings.featureStoreEndpoint);
const sendFailure = failureQueue("write-features", settings);

/**
 * `sensor-data-aggregated` to the feature store: the statistics of each sensor's newest window. A record that would be
 * refused again goes to the failure queue at once; the others are written.
 */
export const handler = batchFunction(log, async (records) => {
  const { taken, refused } = parseRecords(records, windowRecord, log);
  const waiting = newestPerSensor(taken);
  const failed: KafkaRecord[] = [...refused];
  const work = async (): Promise<void> => {
    for (let item = waiting.pop(); item; item = waiting.pop()) if (!(await isDone(item))) failed.push(item.record);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return failed;
});

/** Whether a window needs no further delivery: it is written, or in the failure queue. */
async function isDone({ record, value }: Read<WindowRecord>): Promise<boolean> {
  const about = { sensorId: value.sensorId, id: value.id };
  try {
    const Record = toFeatureRecord(value);
    await featureStore.send(new PutRecordCommand({ FeatureGroupName: settings.featureGroup, Record }));
    return true;
  } catch (error) {
    if (!isRefusal(error)) {
      log.error({ err: error, ...about }, "features were not written");
      return false;
    }
    log.error({ err: error, ...about }, "features were refused, and would be again: they go to the failure queue");
    return sendFailure(record, error as Error).then(
      () => true,
      (reason: unknown) => {
        log.error({ err: reason, ...about }, "the failure queue did not take them");
        return false;
      },
    );
  }
}
