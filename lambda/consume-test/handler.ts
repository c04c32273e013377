import { createKafka } from "../../adapters/kafka.ts";
import { createLogger } from "../../adapters/log.ts";
import { readTopic } from "../../adapters/read-topic.ts";
import { readSettings } from "../../config/settings.ts";
import { CHECK_GROUP } from "../../domain/names.ts";
import { checkTopic } from "../../domain/topics.ts";

const settings = readSettings("kafkaTools", process.env);
const logger = createLogger("consume-test", settings.logLevel);
/** How long reading may take, below the function's own limit. */
const LIMIT_MS = 45_000;

/**
 * Deployment check, which `npm run smoke` invokes: the records of `produce-test` that a reader of committed records
 * sees. `complete` is false when the limit ended the read.
 */
export async function handler(event: { readonly nonce: string }): Promise<{ values: string[]; complete: boolean }> {
  const kafka = createKafka(settings, "millrace-consume-test", logger);
  const options = { groupId: CHECK_GROUP, limitMs: LIMIT_MS };
  const { records, complete } = await readTopic(kafka, checkTopic.name, options);
  return { values: records.filter(({ key }) => key === event.nonce).map(({ value }) => value ?? ""), complete };
}
