import { createHash, randomUUID } from "node:crypto";
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { MAX_EVENT_BYTES, tradeQueue } from "../../domain/event-source-mappings.ts";
import type { EpochMs } from "../../domain/time.ts";

/** A message of the queue. */
export interface QueueMessage {
  readonly messageId: string;
  readonly body: string;
  readonly traceHeader: string | undefined;
  readonly sentMs: EpochMs;
  /** When it was delivered first; null before. */
  firstReceivedMs: EpochMs | null;
  /** Deliveries so far. */
  receives: number;
}

export const QUEUE_NAME = "millrace-local-trades";
const QUEUE_ARN = `arn:aws:sqs:us-east-1:000000000000:${QUEUE_NAME}`;
/** Bytes of a message's other fields in the event, at most. */
const MESSAGE_OVERHEAD = 1_024;

/** A message that has not been delivered. */
export function newMessage(body: string, traceHeader: string | undefined, sentMs: EpochMs): QueueMessage {
  return { messageId: randomUUID(), body, traceHeader, sentMs, firstReceivedMs: null, receives: 0 };
}

/** The event of these messages, as in "Using Lambda with Amazon SQS". */
export function sqsEvent(messages: readonly QueueMessage[], region: string): SQSEvent {
  return { Records: messages.map((message) => sqsRecord(message, region)) };
}

export function sqsRecord(message: QueueMessage, region: string): SQSRecord {
  const { messageId, body, traceHeader, sentMs, firstReceivedMs, receives } = message;
  return {
    messageId,
    receiptHandle: `${messageId}#${receives}`,
    body,
    attributes: {
      ApproximateReceiveCount: String(receives),
      SentTimestamp: String(sentMs),
      SenderId: "AIDAIENQZJOLO23YVJ4VO",
      ApproximateFirstReceiveTimestamp: String(firstReceivedMs ?? sentMs),
      ...(traceHeader === undefined ? {} : { AWSTraceHeader: traceHeader }),
    },
    messageAttributes: {},
    md5OfBody: createHash("md5").update(body).digest("hex"),
    eventSource: "aws:sqs",
    eventSourceARN: QUEUE_ARN,
    awsRegion: region,
  };
}

/** Bytes of a message in the event's JSON, rounded up: its body is a string there, whose quotes are escaped. */
export function messageBytes({ body }: Pick<QueueMessage, "body">): number {
  return MESSAGE_OVERHEAD + Buffer.byteLength(JSON.stringify(body));
}

/** How many of the first messages fit into one invocation; at least 1. */
export function fittingMessages(messages: readonly QueueMessage[], batchSize: number = tradeQueue.batchSize): number {
  let bytes = 0;
  for (let i = 0; i < messages.length; i++) {
    bytes += messageBytes(messages[i]!);
    if (i >= batchSize || (i > 0 && bytes > MAX_EVENT_BYTES)) return i;
  }
  return messages.length;
}

/**
 * The ids of the messages that a function reports as failed. Null when it names one that was not delivered: Lambda then
 * considers the whole batch failed.
 */
export function failedIds(response: unknown, messages: readonly QueueMessage[]): ReadonlySet<string> | null {
  const failures = (response as SQSBatchResponse | null | undefined)?.batchItemFailures;
  if (failures === undefined || failures === null) return new Set();
  if (!Array.isArray(failures)) return null;
  const sent = new Set(messages.map(({ messageId }) => messageId));
  const failed = (failures as ({ itemIdentifier?: string } | null)[]).map((failure) => failure?.itemIdentifier ?? "");
  return failed.every((id) => sent.has(id)) ? new Set(failed) : null;
}
