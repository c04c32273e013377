import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Kafka } from "kafkajs";
import { createKafka } from "../../adapters/kafka.ts";

const root = join(import.meta.dirname, "..", "..");

/** A running program of Millrace. */
export interface Program {
  readonly exited: Promise<{ readonly code: number | null; readonly output: string }>;
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>;
}

export function startProgram(
  main: string,
  args: readonly string[],
  env: Record<string, string>,
  logFile: string,
): Program {
  const log = openSync(logFile, "a");
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", join(root, main), ...args], {
    cwd: root,
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", log],
  });
  closeSync(log);
  let output = "";
  child.stdout!.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(child, "exit").then(([code]) => ({ code: code as number | null, output }));
  return {
    exited,
    end: async (signal) => {
      child.kill(signal);
      await exited;
    },
  };
}

export interface StoredRecord {
  readonly partition: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestamp: number;
}

export function testKafka(brokers: string): Kafka {
  return createKafka({ kafkaBrokers: brokers, kafkaAuth: "none", region: "local" }, "test", undefined, {
    retry: { retries: 5 },
  });
}

/** Everything that is in a topic now. */
export async function readTopic(brokers: string, topic: string): Promise<StoredRecord[]> {
  const kafka = testKafka(brokers);
  const admin = kafka.admin();
  await admin.connect();
  const ends = new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)]));
  await admin.disconnect();
  for (const [partition, end] of ends) if (end === 0) ends.delete(partition);
  const records: StoredRecord[] = [];
  if (ends.size === 0) return records;
  const consumer = kafka.consumer({ groupId: `test-${Math.random()}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachBatch: async ({ batch }) => {
          for (const { key, value, headers, timestamp } of batch.messages) {
            records.push({
              partition: batch.partition,
              key,
              value,
              headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)])),
              timestamp: Number(timestamp),
            });
          }
          if (Number(batch.lastOffset()) + 1 >= (ends.get(batch.partition) ?? 0)) ends.delete(batch.partition);
          if (ends.size === 0) resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return records;
}

/** Number of records in a topic. */
export async function countRecords(brokers: string, topic: string): Promise<number> {
  const admin = testKafka(brokers).admin();
  try {
    await admin.connect();
    return (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
  } finally {
    await admin.disconnect();
  }
}
