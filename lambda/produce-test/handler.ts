import { createKafka } from "../../adapters/kafka.ts";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { transactionalId } from "../../domain/names.ts";
import { checkTopic } from "../../domain/topics.ts";
import { checkTransactions, type TransactionCheck } from "./transactions.ts";

const settings = readSettings("kafkaTools", process.env);
const logger = createLogger("produce-test", settings.logLevel);

/** Deployment check, which `npm run smoke` invokes: whether the cluster supports transactions. */
export async function handler(event: { readonly nonce: string }): Promise<TransactionCheck> {
  const check = await checkTransactions(
    createKafka(settings, "millrace-produce-test", logger),
    checkTopic.name,
    transactionalId(settings.environment, "check", checkTopic.name, 0),
    event.nonce,
  );
  logger.info(check, "transactions tried");
  return check;
}
