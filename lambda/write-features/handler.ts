import { PutRecordCommand } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { windowRecord } from "../../domain/records.ts";
import { featureStoreClient } from "../shared/feature-store.ts";
import { batchFunction, parseRecords, type KafkaRecord } from "../shared/kafka-event.ts";
import { newestPerSensor, toFeatureRecord } from "./feature-record.ts";

/** Calls in flight, at most. */
const CONCURRENCY = 16;

const settings = readSettings("writeFeatures", process.env);
const log = createLogger("write-features", settings.logLevel);
const featureStore = featureStoreClient(settings.region, settings.featureStoreEndpoint);

/** `sensor-data-aggregated` to the feature store: the statistics of each sensor's newest window. */
export const handler = batchFunction(log, async (records) => {
  const waiting = newestPerSensor(parseRecords(records, windowRecord, log));
  const failed: KafkaRecord[] = [];
  const work = async (): Promise<void> => {
    for (let item = waiting.pop(); item; item = waiting.pop()) {
      try {
        await featureStore.send(
          new PutRecordCommand({ FeatureGroupName: settings.featureGroup, Record: toFeatureRecord(item.value) }),
        );
      } catch (error) {
        log.error({ err: error, sensorId: item.value.sensorId }, "features were not written");
        failed.push(item.record);
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return failed;
});
