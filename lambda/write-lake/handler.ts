import { FirehoseClient } from "@aws-sdk/client-firehose";
import { localCredentials } from "../../adapters/local-credentials.ts";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { deliveryStreamName } from "../../domain/names.ts";
import { batchFunction, takeRecords, type KafkaRecord } from "../shared/kafka-event.ts";
import { Packer } from "./batches.ts";
import { deliver } from "./deliver.ts";
import { reachAt } from "./partition.ts";
import { tableOf } from "./rows.ts";
import { readStreams, streamOf } from "./streams.ts";

const settings = readSettings("writeLake", process.env);
const log = createLogger("write-lake", settings.logLevel);
const streams = readStreams(settings.lakeStreams);
const generations = { sensor: settings.logGeneration, market: settings.marketLogGeneration };
const firehose = new FirehoseClient({
  region: settings.region,
  maxAttempts: 1,
  ...(settings.firehoseEndpoint ? { endpoint: settings.firehoseEndpoint, credentials: localCredentials } : {}),
});

/** Kafka to Firehose: each record becomes a row of its topic's table, or several if it is too large for one. */
export const handler = batchFunction(log, async (records) => {
  const byTable = Object.groupBy(records, ({ topic }) => tableOf(topic).table);
  const failed = await Promise.all(Object.entries(byTable).map(([table, ofTable]) => deliverRows(table, ofTable)));
  return failed.flat();
});

/** Delivers the rows of one table. Returns the records that have none, and those whose rows Firehose did not take. */
async function deliverRows(table: string, records: readonly KafkaRecord[]): Promise<KafkaRecord[]> {
  const reach = reachAt(Date.now(), settings.earliestTimeMs);
  const packers = Array.from({ length: streams.get(table) ?? 1 }, () => new Packer<KafkaRecord>());
  const refused = takeRecords(
    records,
    (record) => {
      const packer = packers[streamOf(record, packers.length) - 1]!;
      for (const row of tableOf(record.topic).toRows(record, reach, generations))
        packer.add(record, `${JSON.stringify(row)}\n`);
    },
    log,
  );
  const outcomes = await Promise.all(
    packers.map(({ packed }, index) =>
      deliver(firehose, deliveryStreamName(settings.environment, table, index + 1), packed, Math.random),
    ),
  );
  const failed = outcomes.flatMap((outcome) => outcome.failed);
  const reason = outcomes.find((outcome) => outcome.reason !== undefined)?.reason;
  if (failed.length > 0) log.warn({ err: reason, table, failed: failed.length }, "Firehose did not take all rows");
  return [...refused, ...failed];
}
