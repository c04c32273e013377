import type { Kafka } from "kafkajs";
import Decoder from "kafkajs/src/protocol/decoder.js";
import Encoder from "kafkajs/src/protocol/encoder.js";
import { openCluster } from "./kafka-cluster.ts";
import { sendTo } from "./kafkajs-internals.ts";

// IncrementalAlterConfigs, which kafkajs does not have: https://kafka.apache.org/protocol#The_Messages_IncrementalAlterConfigs
// AlterConfigs, which it has, sets back every setting that a request leaves out.

const API_KEY = 44;
/** The last version whose fields have fixed lengths. Kafka has had it since 2.3. */
const API_VERSION = 0;
const TOPIC = 2;
const SET = 0;

/** New values of some settings of a topic. The others stay as they are. */
export interface TopicChange {
  readonly name: string;
  readonly config: Readonly<Record<string, string>>;
}

/** The body of a request that sets these values. */
export function encodeChanges(changes: readonly TopicChange[]): Encoder {
  return new Encoder()
    .writeArray(
      changes.map(({ name, config }) =>
        new Encoder()
          .writeInt8(TOPIC)
          .writeString(name)
          .writeArray(
            Object.entries(config).map(([key, value]) =>
              new Encoder().writeString(key).writeInt8(SET).writeString(value),
            ),
          ),
      ),
    )
    .writeBoolean(false);
}

/** Why topics were not changed, one sentence each, by the body of an answer. */
export function refusals(answer: Buffer): string[] {
  const decoder = new Decoder(answer);
  decoder.readInt32(); // how long the broker throttles the client
  return decoder
    .readArray(() => {
      const code = decoder.readInt16();
      const message = decoder.readString();
      decoder.readInt8();
      return { code, message, name: decoder.readString() };
    })
    .filter(({ code }) => code !== 0)
    .map(({ code, message, name }) => `${name}: ${message ?? "no reason is given"} (Kafka's error ${code})`);
}

/**
 * Gives settings of topics new values, and leaves all others as they are.
 *
 * @throws Error that names each topic that the broker refused to change, with its reason
 */
export async function alterTopics(kafka: Kafka, changes: readonly TopicChange[]): Promise<void> {
  const cluster = openCluster(kafka);
  await cluster.connect();
  try {
    await cluster.refreshMetadata();
    const broker = await cluster.findControllerBroker();
    const refused = await sendTo<readonly string[]>(broker, {
      request: {
        apiKey: API_KEY,
        apiVersion: API_VERSION,
        apiName: "IncrementalAlterConfigs",
        encode: () => Promise.resolve(encodeChanges(changes)),
      },
      response: { decode: refusals, parse: (sentences) => sentences },
    });
    if (refused.length > 0) throw new Error(`settings of topics were refused: ${refused.join("; ")}`);
  } finally {
    await cluster.disconnect();
  }
}
