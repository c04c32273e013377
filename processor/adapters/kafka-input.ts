import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster, Kafka } from "kafkajs";
import { openCluster, partitionBounds } from "../../adapters/kafka-cluster.ts";
import { FetchFailed, fetchFrom } from "../../adapters/kafka-records.ts";
import type { Logger } from "../../adapters/log.ts";
import { MillraceError } from "../../domain/errors.ts";
import { kafkaFailures } from "../engine/failure-classes.ts";
import type { LogBounds, TaskInput } from "../engine/ports.ts";
import { PartitionReader } from "./partition-reader.ts";

/**
 * Limits of one fetch. A broker holds a fetch that finds nothing for `maxWaitMs`; a partition that needs one meanwhile
 * waits for it.
 */
const LIMITS = { maxWaitMs: 50, maxBytes: 10_485_760, maxBytesPerPartition: 262_144 } as const;
/**
 * After an answer of less than `bytes` the next fetch waits for `lingerMs`. A fetch costs both sides more than a
 * record: where records trickle, one brings several. The wait is the most that a record's latency grows by.
 */
export const TRICKLE = { bytes: 65_536, lingerMs: 5 } as const;
/** First and longest wait after a failed fetch. It doubles. */
const RETRY_MS = { first: 50, most: 1_000 } as const;

/**
 * Fetches for all tasks of a process. Sends each broker one request at a time, for those of its partitions that have
 * room for records.
 */
export class KafkaInput {
  readonly #cluster: Cluster;
  readonly #topic: string;
  readonly #logger: Logger;
  readonly #readers = new Set<PartitionReader>();
  /** Since when Kafka refuses a reader's fetches. */
  readonly #refusedSince = new WeakMap<PartitionReader, number>();
  /** One loop per broker, by node id. */
  readonly #loops = new Map<string, Promise<void>>();
  #connected: Promise<void> | null = null;
  #closed = false;

  constructor(kafka: Kafka, topic: string, logger: Logger) {
    this.#cluster = openCluster(kafka);
    this.#topic = topic;
    this.#logger = logger;
  }

  /** The input port of one life of a task. Its owner closes it. */
  open(partition: number): TaskInput {
    const reader = new PartitionReader({
      partition,
      bounds: () => this.#bounds(partition),
      onRoom: () => this.#start(),
      onClose: (closed) => this.#readers.delete(closed),
    });
    this.#readers.add(reader);
    return reader;
  }

  async #bounds(partition: number): Promise<LogBounds> {
    return partitionBounds(this.#cluster, this.#topic, partition);
  }

  /** Ends all loops, each after its fetch, and disconnects. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#loops.values());
    await this.#cluster.disconnect();
  }

  /** Makes sure that a loop runs for the leader of every partition that has room. */
  #start(): void {
    if (this.#closed) return;
    this.#connected ??= this.#connect();
    void this.#connected
      .then(() => this.#startLoops(this.#leaders(this.#withRoom())))
      .catch((error: unknown) => {
        this.#logger.warn({ err: error }, "Kafka can't be reached for reading; trying again");
        setTimeout(() => this.#start(), RETRY_MS.most).unref();
      });
  }

  async #connect(): Promise<void> {
    try {
      await this.#cluster.connect();
      await this.#cluster.addTargetTopic(this.#topic);
    } catch (error) {
      this.#connected = null;
      throw error;
    }
  }

  #withRoom(): PartitionReader[] {
    return [...this.#readers].filter((reader) => reader.hasRoom);
  }

  #startLoops(leaders: Readonly<Record<string, number[]>>): void {
    for (const node of Object.keys(leaders)) {
      if (this.#loops.has(node)) continue;
      const loop = Promise.resolve().then(() => this.#loop(node));
      this.#loops.set(
        node,
        loop.finally(() => this.#loopEnded(node)),
      );
    }
  }

  #loopEnded(node: string): void {
    this.#loops.delete(node);
    if (this.#withRoom().length > 0) this.#start();
  }

  /** Partitions of the readers, by the node id of their leader. */
  #leaders(readers: readonly PartitionReader[]): Record<string, number[]> {
    const partitions = readers.map((reader) => reader.partition);
    return partitions.length === 0 ? {} : this.#cluster.findLeaderForPartitions(this.#topic, partitions);
  }

  /** Fetches from one broker until none of the partitions that it leads has room. */
  async #loop(node: string): Promise<void> {
    for (let wait: number = RETRY_MS.first; !this.#closed;) {
      const withRoom = this.#withRoom();
      try {
        const leaders = this.#leaders(withRoom);
        this.#startLoops(leaders); // another broker may lead what this one led
        const mine = new Set(leaders[node] ?? []);
        const readers = withRoom.filter((reader) => mine.has(reader.partition));
        if (readers.length === 0) return;
        const bytes = await this.#fetch(node, readers);
        if (bytes > 0 && bytes < TRICKLE.bytes) await sleep(TRICKLE.lingerMs);
        wait = RETRY_MS.first;
      } catch (error) {
        await this.#afterError(error, wait);
        wait = Math.min(wait * 2, RETRY_MS.most);
      }
    }
  }

  /** @returns Bytes of the records that came. */
  async #fetch(node: string, readers: readonly PartitionReader[]): Promise<number> {
    await this.#cluster.refreshMetadataIfNecessary();
    const broker = await this.#cluster.findBroker({ nodeId: node });
    const asked = new Map(readers.map((reader) => [reader.partition, { reader, position: reader.position }]));
    const positions = readers.map(({ partition, fetchOffset }) => ({ partition, fetchOffset }));
    const answer = await fetchFrom(broker, this.#topic, positions, LIMITS);
    let failed: FetchFailed | null = null;
    let bytes = 0;
    for (const fetched of answer) {
      const { reader, position } = asked.get(fetched.partition)!;
      if (!reader.isAt(position)) continue;
      const { records, nextOffset, highWatermark, problem } = fetched;
      if (problem instanceof FetchFailed) {
        if (problem.type === "OFFSET_OUT_OF_RANGE") await reader.outOfRange().catch(() => undefined);
        else if (!this.#isLasting(reader, problem)) failed ??= problem;
        continue;
      }
      this.#refusedSince.delete(reader);
      for (const { size } of records) bytes += size;
      reader.deliver(records, nextOffset, highWatermark);
      if (problem) reader.fail(problem);
    }
    if (failed) throw failed;
    return bytes;
  }

  /** Whether Kafka has refused a partition for so long that no retry will help. The reader then fails. */
  #isLasting(reader: PartitionReader, problem: FetchFailed): boolean {
    const failure = kafkaFailures.get(problem.code);
    if (failure?.class !== "partition") return false;
    const since = this.#refusedSince.get(reader) ?? performance.now();
    this.#refusedSince.set(reader, since);
    const { afterMs = 0 } = failure;
    if (performance.now() - since < afterMs) return false;
    const advice = "Make the topic and its permissions as they were, and restart the processor";
    reader.fail(
      new MillraceError("input-refused", `${problem.message}, for ${afterMs} ms. ${advice}`, { cause: problem }),
    );
    return true;
  }

  async #afterError(error: unknown, wait: number): Promise<void> {
    const { name, host, port } = error as { name?: string; host?: string; port?: number };
    this.#logger.warn({ err: error }, "a fetch failed; trying again");
    if (name === "KafkaJSConnectionClosedError" && host !== undefined && port !== undefined)
      this.#cluster.removeBroker({ host, port });
    await sleep(wait);
    await this.#cluster
      .connect()
      .then(() => this.#cluster.refreshMetadata())
      .catch(() => undefined);
  }
}
