import type { Kafka } from "kafkajs";
import type { ImuSample } from "../domain/imu-message.ts";
import { encodePackedImu } from "../domain/packed-imu.ts";
import { contentTypes, headers, topics } from "../domain/topics.ts";

/** The input of a benchmark: messages of 20 readings at 200 Hz, with numbers of six decimals. */
export interface Load {
  readonly sensors: number;
  /** Number of messages in total. The sensors take turns. */
  readonly messages: number;
  readonly partitions: number;
  readonly format: "json" | "packed";
}

export const READINGS_PER_MESSAGE = 20;
export const MESSAGE_MS = 100;
const HZ = 200;
/** Event time of the first reading in a filled topic. It lies in the past, so that the future guard accepts it. */
export const FILL_START = 1_657_533_977_000;
const POOL = 500;
const BATCH = 1_000;

/** Samples of a linear congruential generator: the same in every run. */
function samplePool(): ImuSample[][] {
  let seed = 1;
  const next = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.round((seed / 2 ** 32) * 20e6 - 10e6) / 1e6;
  };
  return Array.from({ length: POOL }, () =>
    Array.from({ length: READINGS_PER_MESSAGE }, (): ImuSample => [next(), next(), next(), next(), next(), next()]),
  );
}
const pool = samplePool();
const poolText = pool.map((samples) => JSON.stringify(samples));

export interface Produced {
  key: string;
  value: Buffer;
  partition: number;
  headers?: Record<string, string>;
}

/** Message `seq` of a sensor. */
export function message(load: Pick<Load, "partitions" | "format">, sensor: number, seq: number, t: number): Produced {
  const pooled = (sensor * 7 + seq) % POOL;
  const place = { key: `s${sensor}`, partition: sensor % load.partitions };
  if (load.format === "json")
    return { ...place, value: Buffer.from(`{"seq":${seq},"t":${t},"hz":${HZ},"samples":${poolText[pooled]}}`) };
  return {
    ...place,
    value: Buffer.from(encodePackedImu({ seq, t, hz: HZ, samples: pool[pooled]! })),
    headers: { [headers.contentType]: contentTypes.imuPacked },
  };
}

/**
 * Fills a topic. The last message of each sensor lies ten seconds after the others, so that all windows before it fire.
 *
 * @returns Number of messages
 */
export async function fill(kafka: Kafka, load: Load, topic: string): Promise<number> {
  const producer = kafka.producer();
  await producer.connect();
  let batch: Produced[] = [];
  const send = async (): Promise<void> => {
    if (batch.length > 0) await producer.send({ topic, messages: batch, acks: 1 });
    batch = [];
  };
  const rounds = Math.floor(load.messages / load.sensors);
  for (let seq = 0; seq <= rounds; seq++) {
    for (let sensor = 0; sensor < load.sensors; sensor++) {
      batch.push(message(load, sensor, seq, FILL_START + seq * MESSAGE_MS + (seq === rounds ? 10_000 : 0)));
      if (batch.length === BATCH) await send();
    }
  }
  await send();
  await producer.disconnect();
  return (rounds + 1) * load.sensors;
}

/**
 * Sends messages at a constant rate, in real time, until `stop`, which resolves with their number.
 *
 * @param firstSeq Of each sensor. @default 0
 */
export function publishAtRate(
  kafka: Kafka,
  load: Pick<Load, "sensors" | "partitions" | "format">,
  perSecond: number,
  firstSeq = 0,
): { stop(): Promise<number> } {
  const producer = kafka.producer();
  const started = Date.now();
  let sent = 0;
  let stopping = false;
  const run = (async (): Promise<void> => {
    await producer.connect();
    while (!stopping) {
      const due = Math.floor(((Date.now() - started) * perSecond) / 1_000);
      const messages: Produced[] = [];
      for (; sent < due && messages.length < BATCH; sent++) {
        const seq = firstSeq + Math.floor(sent / load.sensors);
        messages.push(message(load, sent % load.sensors, seq, Date.now() - MESSAGE_MS));
      }
      if (messages.length > 0) await producer.send({ topic: topics.imuData.name, messages, acks: 1 });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await producer.disconnect();
  })();
  return {
    stop: async () => {
      stopping = true;
      await run;
      return sent;
    },
  };
}
