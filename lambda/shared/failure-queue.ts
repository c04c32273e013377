import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { KafkaRecord } from "./kafka-event.ts";

/** Bytes of a record's value in a message, at most; SQS takes 256 KB. A larger one is in the topic. */
const MAX_VALUE_BYTES = 128 * 1_024;

/** Where a function's failure queue is: a queue's URL, or locally a folder. */
export interface FailureQueueSettings {
  readonly region: string;
  readonly failureQueueUrl: string | undefined;
  readonly onFailureDir: string | undefined;
}

/**
 * Sends a record that would be refused again to the function's failure queue. Rejects when it can't: the record must
 * then be delivered again.
 */
export type SendFailure = (record: KafkaRecord, error: Error) => Promise<void>;

/** The failure queue of a function. */
export function failureQueue(functionName: string, settings: FailureQueueSettings): SendFailure {
  const { region, failureQueueUrl: QueueUrl, onFailureDir } = settings;
  if (QueueUrl !== undefined) {
    const client = new SQSClient({ region });
    return async (record, error) => {
      await client.send(new SendMessageCommand({ QueueUrl, MessageBody: failureMessage(functionName, record, error) }));
    };
  }
  if (onFailureDir === undefined) return (_, error) => Promise.reject(error);
  return async (record, error) => {
    await mkdir(onFailureDir, { recursive: true });
    const file = join(onFailureDir, `${functionName}.${record.topic}.ndjson`);
    await appendFile(file, `${failureMessage(functionName, record, error)}\n`, { flush: true });
  };
}

function failureMessage(functionName: string, record: KafkaRecord, { name, message }: Error): string {
  const { topic, partition, offset, timestamp, keyBase64, valueBase64, value } = record;
  return JSON.stringify({
    function: functionName,
    topic,
    partition,
    offset,
    timestamp,
    key: keyBase64,
    value: value !== null && value.length <= MAX_VALUE_BYTES ? valueBase64 : null,
    error: { name, message: message.slice(0, 2_000) },
  });
}
