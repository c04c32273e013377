import type { Cluster } from "kafkajs";
import { fetchRecords } from "../../../adapters/kafka-records.ts";
import { keyPartitioner } from "../../../adapters/key-partitioner.ts";
import {
  committedRecords,
  newestFirst,
  offsetsBetween,
  partitionsOf,
  type OffsetRange,
  type TimeRange,
} from "../../../adapters/read-partition.ts";
import type { LogRecord } from "../../../adapters/record-batches.ts";
import type { PipelineName } from "../../../domain/pipelines.ts";
import type { EpochMs } from "../../../domain/time.ts";
import { headers as headerNames } from "../../../domain/topics.ts";
import { Arrivals, type Neighbour } from "./arrivals.ts";
import { isSame, subjectOf, type Identity } from "./subject.ts";

/** How much of a partition is read. */
export interface SearchBounds {
  /** Offsets that are read one by one. Above it the place is guessed first, by halving: a sensor's numbers grow. */
  readonly readThrough: number;
  /** Offsets that are read before a place that is guessed or known. */
  readonly before: number;
  /** Offsets that are read from such a place on. */
  readonly behind: number;
}

const usualBounds: SearchBounds = { readThrough: 50_000, before: 5_000, behind: 20_000 };
/** Fetches that look for a sensor's next record. */
const PROBE_FETCHES = 20;

export interface Found {
  readonly partition: number;
  /** In offset order. */
  readonly records: readonly LogRecord[];
  /** Epoch ms from which on it was looked for. */
  readonly since: EpochMs;
  /** Whether all of the times asked for were read; otherwise further arrivals may be outside of the range. */
  readonly complete: boolean;
  /** Of a sensor's number that did not arrive: the nearest ones of the same boot. */
  readonly before: Neighbour<LogRecord> | null;
  readonly after: Neighbour<LogRecord> | null;
}

/** Looks for records of one input topic. */
export class InputSearch {
  readonly #cluster: Cluster;
  readonly #pipeline: PipelineName;
  readonly #topic: string;
  readonly #bounds: SearchBounds;

  constructor(cluster: Cluster, pipeline: PipelineName, topic: string, bounds: SearchBounds = usualBounds) {
    this.#cluster = cluster;
    this.#pipeline = pipeline;
    this.#topic = topic;
    this.#bounds = bounds;
  }

  /** The arrivals of a message between two times, in its key's partition. */
  async byIdentity(identity: Identity & { readonly key: string }, times: TimeRange): Promise<Found> {
    const count = (await partitionsOf(this.#cluster, this.#topic)).length;
    const partition = keyPartitioner(this.#topic, count)(identity.key);
    const range = await offsetsBetween(this.#cluster, this.#topic, partition, times);
    const { seq } = identity;
    if (seq !== null && range.to - range.from > this.#bounds.readThrough) {
      const guess = await this.#guess(partition, { ...identity, seq }, range);
      const around = {
        from: Math.max(range.from, guess - this.#bounds.before),
        to: Math.min(range.to, guess + this.#bounds.behind),
      };
      const found = await this.#read(partition, identity, around);
      if (found.records.length > 0) return { ...found, complete: false };
    }
    return { ...(await this.#read(partition, identity, range)), since: times.from };
  }

  /** The arrivals of the message that a record is, itself and copies near it. */
  async around(record: LogRecord): Promise<{ readonly identity: Identity; readonly found: Found }> {
    const { partition, offset } = record;
    const { identity } = subjectOf(this.#pipeline, record);
    const alone = { partition, records: [record], since: record.timestamp, complete: false, before: null, after: null };
    const { key } = identity;
    if (key === null || !isSame(identity, identity)) return { identity, found: alone };
    const range = { from: offset - this.#bounds.before, to: offset + this.#bounds.behind };
    return { identity, found: { ...(await this.#read(partition, { ...identity, key }, range)), complete: false } };
  }

  async #read(partition: number, identity: Identity & { readonly key: string }, range: OffsetRange): Promise<Found> {
    const arrivals = new Arrivals<LogRecord>(this.#pipeline, identity);
    let since: EpochMs | null = null;
    for await (const batch of committedRecords(this.#cluster, this.#topic, partition, range))
      for (const record of batch) {
        since ??= record.timestamp;
        arrivals.take(record);
      }
    const { records, before, after } = arrivals;
    return { partition, records, since: since ?? Date.now(), complete: true, before, after };
  }

  /**
   * About where a sensor's number stands: by halving, as numbers grow within a boot. Without a boot it is the newest
   * one's. What arrived late stands elsewhere.
   */
  async #guess(
    partition: number,
    { key, seq, boot }: Identity & { readonly key: string; readonly seq: number },
    range: OffsetRange,
  ): Promise<number> {
    const next = (from: number, to: number): Promise<(Identity & { readonly offset: number }) | null> =>
      this.#nextOf(partition, key, { from, to });
    let wanted = boot;
    if (boot === null)
      wanted = (await next(Math.max(range.from, range.to - this.#bounds.before), range.to))?.boot ?? null;
    let { from, to } = range;
    while (to - from > this.#bounds.before) {
      const middle = Math.floor((from + to) / 2);
      const probe = await next(middle, to);
      if (probe === null || (probe.boot === wanted && (probe.seq ?? -1) >= seq)) to = middle;
      else from = probe.offset + 1;
    }
    return from;
  }

  /** The first record of a sensor in a range whose number can be read; null where the first fetches have none. */
  async #nextOf(
    partition: number,
    key: string,
    { from, to }: OffsetRange,
  ): Promise<(Identity & { readonly offset: number }) | null> {
    const bytes = Buffer.from(key);
    let offset = from;
    for (let fetches = 0; offset < to && fetches < PROBE_FETCHES; fetches++) {
      const { records, nextOffset } = await fetchRecords(this.#cluster, this.#topic, partition, offset);
      for (const record of records) {
        if (record.offset >= to || record.key === null || !bytes.equals(record.key)) continue;
        const { identity } = subjectOf(this.#pipeline, record);
        if (identity.seq !== null) return { ...identity, offset: record.offset };
      }
      offset = nextOffset;
    }
    return null;
  }

  /** The newest record whose traceparent has this trace id, from the end backwards, all partitions in turn. */
  async byTraceId(traceId: string, key: string | undefined, times: TimeRange): Promise<LogRecord | null> {
    const all = await partitionsOf(this.#cluster, this.#topic);
    const partitions = key === undefined ? all : [keyPartitioner(this.#topic, all.length)(key)];
    const readers = await Promise.all(
      partitions.map(async (partition) =>
        newestFirst(
          this.#cluster,
          this.#topic,
          partition,
          await offsetsBetween(this.#cluster, this.#topic, partition, times),
        ),
      ),
    );
    const open = new Set(readers);
    while (open.size > 0)
      for (const reader of open)
        for (let i = 0; i < TURN_RECORDS; i++) {
          const { value, done } = await reader.next();
          if (done) {
            open.delete(reader);
            break;
          }
          if (value.headers[headerNames.traceparent]?.slice(3, 35) === traceId) return value;
        }
    return null;
  }
}

/** Records that are looked at in a partition before the next partition has its turn. */
const TURN_RECORDS = 200;
