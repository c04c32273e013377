import { createRequire } from "node:module";
import type { Broker } from "kafkajs";

// The parts of kafkajs behind its public types that are used here (docs/decisions/02-kafkajs.md).

const load = createRequire(import.meta.url);

/** A request, and how its answer is read. The answer of a request is the value that `parse` gives. */
export interface Exchange<T> {
  readonly request: object;
  /** @default that of the client */
  readonly requestTimeout?: number;
  readonly response: { decode(payload: Buffer): T; parse(decoded: T): T };
}

interface BrokerInternals extends Broker {
  readonly connectionPool: { send<T>(exchange: Exchange<T>): Promise<T> };
}

/** Sends a request on a connection of the broker. @returns What `parse` gives. */
export function sendTo<T>(broker: Broker, exchange: Exchange<T>): Promise<T> {
  return (broker as BrokerInternals).connectionPool.send(exchange);
}

/** The error of kafkajs for an error code of Kafka. Its `type` is the code's name, such as `OFFSET_OUT_OF_RANGE`. */
export const { createErrorFromCode } = load("kafkajs/src/protocol/error.js") as {
  readonly createErrorFromCode: (code: number) => Error & { readonly type?: string };
};

interface FetchOptions {
  readonly replicaId: number;
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolationLevel: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }[];
  }[];
}

/**
 * A Fetch request, version 10. From version 11 on, a broker that no longer leads a partition answers as a follower,
 * however far behind it is. Readers would not notice.
 */
export const fetchRequest = load("kafkajs/src/protocol/requests/fetch/v10/request.js") as (
  options: FetchOptions,
) => object;

/** Transaction state of one producer: ids, sequence numbers, and the requests to the coordinators. */
export interface EosManager {
  initProducerId(): Promise<void>;
  beginTransaction(): void;
  addPartitionsToTransaction(
    topics: readonly { readonly topic: string; readonly partitions: readonly { readonly partition: number }[] }[],
  ): Promise<void>;
  sendOffsets(offsets: {
    readonly consumerGroupId: string;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
    }[];
  }): Promise<void>;
  commit(): Promise<void>;
  getProducerId(): string;
  getProducerEpoch(): number;
  getSequence(topic: string, partition: number): number;
  updateSequence(topic: string, partition: number, increment: number): void;
}

export const createEosManager = load("kafkajs/src/producer/eosManager/index.js") as (options: object) => EosManager;
