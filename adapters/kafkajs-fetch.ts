import kafkajs, { type KafkaMessage } from "kafkajs";
import fetchRequests, {
  type FetchAnswer,
  type FetchedMessage,
  type FetchResponse,
} from "kafkajs/src/protocol/requests/fetch/index.js";
import { decompress } from "./kafka-codecs.ts";

/**
 * Makes the consumers of kafkajs read every codec of Kafka, and keeps what can't be decoded to its own partition.
 *
 * kafkajs 2.2.4 decodes a broker's answer as a whole: one batch that it can't decode makes the fetch of all partitions
 * fail, and the next fetch again. Here the batches of such an answer are decoded one by one. In place of the first that
 * fails, its partition gets a message that says so; `undecodableIn` finds it. A consumer must stop that partition
 * there.
 */

/** All that bits 0 to 2 of a batch's attributes can be: https://kafka.apache.org/documentation/#recordbatch */
// Node finds no named export for it in this CommonJS module.
const codecs = kafkajs.CompressionCodecs as Record<number, () => object>;
for (const codec of [1, 2, 3, 4, 5, 6, 7])
  codecs[codec] = () => ({
    compress: () => Promise.reject(new Error("Millrace's producers do not compress by this codec")),
    decompress: (packed: Buffer) => Promise.resolve(decompress(codec, packed)),
  });

/** Version of the Fetch API that kafkajs uses with brokers since 2.3. */
const VERSION = 11;
/** Bytes of an answer before its topics: throttle time, error code, session. */
const ANSWER_HEADER = 10;
/** Bytes of a batch that its length field does not count: base offset and length. */
const LOG_OVERHEAD = 12;

/** A message that stands for a batch that can't be decoded. */
interface UndecodableMessage {
  readonly undecodable: Error;
}

/** The first message of a batch that stands for what can't be decoded; null when all could be. */
export function undecodableIn(
  messages: readonly KafkaMessage[],
): { readonly at: number; readonly error: Error } | null {
  const at = messages.findIndex((message) => "undecodable" in message);
  return at < 0 ? null : { at, error: (messages[at] as unknown as UndecodableMessage).undecodable };
}

const { protocol } = fetchRequests;
fetchRequests.protocol = ({ version }) => {
  const create = protocol({ version });
  if (version !== VERSION) return create;
  return (options) => {
    const exchange = create(options);
    return { ...exchange, response: { ...exchange.response, decode: (raw) => decodeAnswer(exchange.response, raw) } };
  };
};

async function decodeAnswer(response: FetchResponse, raw: Buffer): Promise<FetchAnswer> {
  try {
    return await response.decode(raw);
  } catch {
    return decodeApart(response, raw);
  }
}

/** Decodes an answer partition by partition, and a partition that fails batch by batch. */
async function decodeApart(response: FetchResponse, raw: Buffer): Promise<FetchAnswer> {
  const header = raw.subarray(0, ANSWER_HEADER);
  let at = ANSWER_HEADER;
  const int32 = (): number => raw.readInt32BE((at += 4) - 4);
  const responses: FetchAnswer["responses"][number][] = [];
  const empty = await response.decode(Buffer.concat([header, Buffer.alloc(4)]));
  for (let topics = int32(); topics > 0; topics--) {
    const nameFrom = at;
    at += 2 + raw.readInt16BE(at);
    const name = raw.subarray(nameFrom, at);
    const partitions: FetchAnswer["responses"][number]["partitions"][number][] = [];
    for (let left = int32(); left > 0; left--) {
      const from = at;
      at += 4 + 2 + 8 + 8 + 8; // partition, error, high watermark, last stable offset, log start offset
      const aborted = Math.max(0, int32());
      at += aborted * 16 + 4; // aborted transactions, preferred replica
      const partitionHeader = raw.subarray(from, at);
      const length = Math.max(0, int32());
      const records = raw.subarray(at, at + length);
      at += length;
      const decode = async (bytes: Buffer) => {
        const parts = [header, ONE, name, ONE, partitionHeader, lengthOf(bytes), bytes];
        return (await response.decode(Buffer.concat(parts))).responses[0]!.partitions[0]!;
      };
      const withoutRecords = await decode(records.subarray(0, 0));
      partitions.push({
        ...withoutRecords,
        messages: await messagesOf(records, async (batch) => (await decode(batch)).messages),
      });
    }
    responses.push({ topicName: name.toString("utf8", 2), partitions });
  }
  return { ...empty, responses };
}

const ONE = Buffer.from([0, 0, 0, 1]);

function lengthOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  return length;
}

/** The messages of whole batches, up to the first that can't be decoded. */
async function messagesOf(
  records: Buffer,
  decode: (batch: Buffer) => Promise<readonly FetchedMessage[]>,
): Promise<FetchedMessage[]> {
  const messages: FetchedMessage[] = [];
  for (let at = 0; at + LOG_OVERHEAD < records.length;) {
    const end = at + LOG_OVERHEAD + records.readInt32BE(at + 8);
    if (end > records.length) break; // the answer has cut it off
    try {
      messages.push(...(await decode(records.subarray(at, end))));
    } catch (error) {
      messages.push(standIn(records.readBigInt64BE(at), error as Error));
      break;
    }
    at = end;
  }
  return messages;
}

function standIn(baseOffset: bigint, undecodable: Error): FetchedMessage & UndecodableMessage {
  return {
    offset: String(baseOffset),
    timestamp: "0",
    attributes: 0,
    key: null,
    value: null,
    headers: {},
    isControlRecord: false,
    batchContext: { inTransaction: false },
    undecodable,
  };
}
