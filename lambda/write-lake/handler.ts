import { FirehoseClient } from "@aws-sdk/client-firehose";
import { localCredentials } from "../../adapters/local-credentials.ts";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { deliveryStreamName } from "../../domain/names.ts";
import { batchFunction, type KafkaRecord } from "../shared/kafka-event.ts";
import { deliver, type Delivery } from "./deliver.ts";
import { lakeTables } from "./rows.ts";

const settings = readSettings("writeLake", process.env);
const log = createLogger("write-lake", settings.logLevel);
const firehose = new FirehoseClient({
  region: settings.region,
  maxAttempts: 1,
  ...(settings.firehoseEndpoint ? { endpoint: settings.firehoseEndpoint, credentials: localCredentials } : {}),
});

/** Kafka to Firehose: each record becomes a row of its topic's table. */
export const handler = batchFunction(log, async (records) => {
  const streams = Object.groupBy(records, ({ topic }) => lakeTables[topic]?.table ?? "");
  const outcomes = Object.entries(streams).map(async ([table, ofTable]) => {
    if (table === "") throw new Error(`no table of the lake takes records of ${ofTable[0]?.topic}`);
    const { failed, reason } = await deliver(
      firehose,
      deliveryStreamName(settings.environment, table),
      rowsOf(ofTable),
      Math.random,
    );
    if (failed.length > 0) log.error({ err: reason, table, failed: failed.length }, "Firehose did not take all rows");
    return failed.map(({ record }) => record);
  });
  return (await Promise.all(outcomes)).flat();
});

/**
 * Rows as lines of JSON. A record that does not follow its schema is logged and passed over: a retry cannot help it,
 * and its topic keeps it.
 */
function rowsOf(records: readonly KafkaRecord[]): Delivery<KafkaRecord>[] {
  return records.flatMap((record) => {
    try {
      const row = lakeTables[record.topic]!.toRow(record);
      return row === null ? [] : [{ record, data: Buffer.from(`${JSON.stringify(row)}\n`) }];
    } catch (error) {
      log.error(
        { err: error, topic: record.topic, partition: record.partition, offset: record.offset },
        "record does not follow its schema and was passed over",
      );
      return [];
    }
  });
}
