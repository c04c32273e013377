import { randomBytes } from "node:crypto";
import middy from "@middy/core";
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { createKafka } from "../../adapters/kafka.ts";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { asksToGenerate, generatedTrades } from "./generate.ts";
import { TradeAppender } from "./trade-appender.ts";
import { recordOf, traceIdOfHeader, tradeRecord, type TradeRecord } from "./trade-record.ts";

const settings = readSettings("produceTrades", process.env);
const log = createLogger("produce-trades", settings.logLevel);
// No logger: kafkajs would log every attempt during an outage, and each failed message is logged here.
const appender = new TradeAppender(
  createKafka(settings, "millrace-produce-trades", undefined, {
    connectionTimeout: 3_000,
    requestTimeout: 6_000,
    retry: { retries: 2, initialRetryTime: 50, maxRetryTime: 1_000 },
  }),
);

/** Ids of messages in a log line, at most: all of a batch fail when Kafka is away. */
const LOGGED_IDS = 10;

/** How many trades a schedule's event has made. */
interface Generated {
  readonly generated: number;
}

/**
 * Appends trades to `market-trades`. It takes two kinds of events:
 *
 * - SQS messages whose bodies are EventBridge events. Those that could not be appended are reported, so that the queue
 *   delivers them again, and gives them to its dead-letter queue at the end.
 * - An event of a schedule: it generates a minute of trades. It fails when one could not be appended; the next attempt
 *   makes the same trades.
 */
export const handler = middy<unknown, SQSBatchResponse | Generated>()
  .use({ onError: (request) => log.warn({ err: request.error }, "invocation failed and will be tried again") })
  .handler(async (event: unknown) => {
    if (asksToGenerate(event)) return await generateTrades(event);
    return await appendMessages((event as SQSEvent).Records);
  });

async function appendMessages(messages: readonly SQSRecord[]): Promise<SQSBatchResponse> {
  const records: TradeRecord[] = [];
  const sources: SQSRecord[] = [];
  const failed: SQSRecord[] = [];
  for (const message of messages) {
    try {
      records.push(tradeRecord(message.body, receiptOf(message)));
      sources.push(message);
    } catch (error) {
      const { messageId, attributes } = message;
      log.error({ err: error, messageId, traceId: traceIdOfHeader(attributes.AWSTraceHeader) }, "no event of a trade");
      failed.push(message);
    }
  }
  const refused = await appender.append(records);
  for (const [, indexes] of Map.groupBy(refused.keys(), (index) => refused.get(index)!.message)) {
    const messages = indexes.map((index) => sources[index]!);
    const error = refused.get(indexes[0]!);
    const messageIds = messages.slice(0, LOGGED_IDS).map(({ messageId }) => messageId);
    log.warn(
      { err: error, messages: messages.length, messageIds },
      "trades were not appended and will be delivered again",
    );
    failed.push(...messages);
  }
  return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
}

function receiptOf({ attributes }: SQSRecord): Parameters<typeof tradeRecord>[1] {
  const ingestMs = Number(attributes.SentTimestamp);
  return {
    ingestMs: Number.isSafeInteger(ingestMs) && ingestMs > 0 ? ingestMs : Date.now(),
    traceHeader: attributes.AWSTraceHeader,
    random: randomBytes(24),
  };
}

async function generateTrades(event: unknown): Promise<Generated> {
  const ingestMs = Date.now();
  const trades = generatedTrades(event, ingestMs);
  const records = trades.map((trade) => recordOf({ ...trade }, { ingestMs, random: randomBytes(24) }));
  const [first] = (await appender.append(records)).values();
  if (first) throw first;
  log.info({ trades: trades.length }, "generated a minute of trades");
  return { generated: trades.length };
}
