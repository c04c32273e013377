import type { Broker } from "kafkajs";
import Decoder from "kafkajs/src/protocol/decoder.js";
import Encoder from "kafkajs/src/protocol/encoder.js";
import { sendTo } from "./kafkajs-internals.ts";

// DescribeLogDirs, which kafkajs does not have: https://kafka.apache.org/protocol#The_Messages_DescribeLogDirs

const API_KEY = 35;
/** The last version whose fields have fixed lengths. */
const API_VERSION = 1;
/** In the place of an array's length: no array, which asks for all topics. */
const ALL_TOPICS = -1;

/** Bytes on the broker's disk by `<topic>/<partition>`, by the body of an answer. */
export function sizesIn(answer: Buffer): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  const decoder = new Decoder(answer);
  decoder.readInt32(); // how long the broker throttles the client
  decoder.readArray((folder) => {
    folder.readInt16(); // an error: the folder then has no topics
    folder.readString();
    return folder.readArray((topic) => {
      const name = topic.readString();
      return topic.readArray((partition) => {
        const key = `${name}/${partition.readInt32()}`;
        const bytes = Number(partition.readInt64().toString());
        partition.readInt64(); // how far a copy that is being moved is behind
        // A partition that is being moved to another disk is there twice.
        if (partition.readInt8() === 0) sizes.set(key, bytes);
      });
    });
  });
  return sizes;
}

/** Bytes on a broker's disk by `<topic>/<partition>`, of all topics. @throws Error when it does not know the request */
export function topicSizes(broker: Broker): Promise<ReadonlyMap<string, number>> {
  return sendTo(broker, {
    request: {
      apiKey: API_KEY,
      apiVersion: API_VERSION,
      apiName: "DescribeLogDirs",
      encode: () => Promise.resolve(new Encoder().writeInt32(ALL_TOPICS)),
    },
    response: { decode: sizesIn, parse: (sizes) => sizes },
  });
}
