import type { Cluster, Kafka } from "kafkajs";
import type { Logger } from "../../adapters/log.ts";
import { MillraceError } from "../../domain/errors.ts";
import type { TaskInput } from "../engine/ports.ts";
import type { InputRecord } from "../runtime/machine.ts";
import { openCluster, partitionBounds } from "./kafka-cluster.ts";
import { FetchFailed, fetchFrom } from "./kafka-records.ts";

/** Bytes fetched ahead per partition: at this many or more it is not fetched until the task has read on. */
const PREFETCH_BYTES = 500_000;
/** A broker holds a fetch that finds nothing for `maxWaitMs`; a partition that joins waits for it. */
const LIMITS = { maxWaitMs: 50, maxBytes: 10_485_760, maxBytesPerPartition: 262_144 } as const;
const RETRY_MS = { first: 50, most: 1_000 } as const;

/** Fetches for all tasks of a process: one request per broker at a time, for the partitions that have room. */
export class KafkaInput {
  readonly #cluster: Cluster;
  readonly #topic: string;
  readonly #logger: Logger;
  readonly #readers = new Set<PartitionReader>();
  readonly #loops = new Map<string, Promise<void>>();
  #connected: Promise<void> | null = null;
  #closed = false;

  constructor(kafka: Kafka, topic: string, logger: Logger) {
    this.#cluster = openCluster(kafka);
    this.#topic = topic;
    this.#logger = logger;
  }

  /** The port of one task's life. */
  open(partition: number): TaskInput {
    const reader = new PartitionReader(
      partition,
      () => this.bounds(partition),
      () => this.#start(),
      (closed) => this.#readers.delete(closed),
    );
    this.#readers.add(reader);
    return reader;
  }

  async bounds(partition: number): Promise<{ earliest: number; latest: number }> {
    return partitionBounds(this.#cluster, this.#topic, partition);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#loops.values());
    await this.#cluster.disconnect();
  }

  /** Makes sure that a loop runs for the leader of every partition that wants records. */
  #start(): void {
    if (this.#closed) return;
    this.#connected ??= this.#cluster
      .connect()
      .then(() => this.#cluster.addTargetTopic(this.#topic))
      .catch((error: unknown) => {
        this.#connected = null;
        throw error;
      });
    void this.#connected
      .then(() => this.#startLoops(this.#leaders(this.#wanting())))
      .catch((error: unknown) => {
        this.#logger.warn({ err: error }, "Kafka can't be reached for reading; trying again");
        setTimeout(() => this.#start(), RETRY_MS.most).unref();
      });
  }

  #wanting(): PartitionReader[] {
    return [...this.#readers].filter((reader) => reader.wanting);
  }

  #startLoops(leaders: Readonly<Record<string, number[]>>): void {
    for (const node of Object.keys(leaders)) {
      if (this.#loops.has(node)) continue;
      this.#loops.set(
        node,
        Promise.resolve()
          .then(() => this.#loop(node))
          .finally(() => {
            this.#loops.delete(node);
            if (this.#wanting().length > 0) this.#start();
          }),
      );
    }
  }

  #leaders(readers: readonly PartitionReader[]): Record<string, number[]> {
    return readers.length === 0
      ? {}
      : this.#cluster.findLeaderForPartitions(
          this.#topic,
          readers.map((reader) => reader.partition),
        );
  }

  /** Fetches from one broker until none of its partitions wants more. */
  async #loop(node: string): Promise<void> {
    for (let wait: number = RETRY_MS.first; !this.#closed;) {
      const wanting = this.#wanting();
      try {
        const leaders = this.#leaders(wanting);
        this.#startLoops(leaders); // what this broker led until now may be another's
        const mine = new Set(leaders[node] ?? []);
        const readers = wanting.filter((reader) => mine.has(reader.partition));
        if (readers.length === 0) return;
        await this.#fetch(node, readers);
        wait = RETRY_MS.first;
      } catch (error) {
        await this.#afterError(error, wait);
        wait = Math.min(wait * 2, RETRY_MS.most);
      }
    }
  }

  async #fetch(node: string, readers: readonly PartitionReader[]): Promise<void> {
    await this.#cluster.refreshMetadataIfNecessary();
    const broker = await this.#cluster.findBroker({ nodeId: node });
    const asked = new Map(readers.map((reader) => [reader.partition, { reader, epoch: reader.epoch }]));
    const positions = readers.map(({ partition, fetchOffset }) => ({ partition, fetchOffset }));
    for (const { partition, records, nextOffset, highWatermark } of await fetchFrom(
      broker,
      this.#topic,
      positions,
      LIMITS,
    )) {
      const { reader, epoch } = asked.get(partition)!;
      if (epoch === reader.epoch) reader.deliver(records, nextOffset, highWatermark); // else it has been moved meanwhile
    }
  }

  async #afterError(error: unknown, wait: number): Promise<void> {
    if (error instanceof FetchFailed && error.type === "OFFSET_OUT_OF_RANGE") {
      for (const reader of this.#readers)
        if (reader.partition === error.partition) await reader.outOfRange().catch(() => undefined);
      return;
    }
    const { name, host, port } = error as { name?: string; host?: string; port?: number };
    this.#logger.warn({ err: error }, "a fetch failed; trying again");
    if (name === "KafkaJSConnectionClosedError" && host !== undefined && port !== undefined)
      this.#cluster.removeBroker({ host, port });
    await new Promise((resolve) => setTimeout(resolve, wait));
    await this.#cluster
      .connect()
      .then(() => this.#cluster.refreshMetadata())
      .catch(() => undefined);
  }
}

/** The position of one task in its partition, and what was fetched ahead. */
class PartitionReader implements TaskInput {
  readonly partition: number;
  readonly bounds: () => Promise<{ earliest: number; latest: number }>;
  readonly #wanted: () => void;
  readonly #onClose: (reader: PartitionReader) => void;
  #fetched: InputRecord[] = [];
  #bytes = 0;
  #fetchOffset = -1;
  #highWatermark = 0;
  #epoch = 0;
  #failure: MillraceError | null = null;
  #resume: (() => void) | null = null;
  #closed = false;

  constructor(
    partition: number,
    bounds: () => Promise<{ earliest: number; latest: number }>,
    wanted: () => void,
    onClose: (reader: PartitionReader) => void,
  ) {
    this.partition = partition;
    this.bounds = bounds;
    this.#wanted = wanted;
    this.#onClose = onClose;
  }

  get fetchOffset(): number {
    return this.#fetchOffset;
  }
  /** Changes with every seek. */
  get epoch(): number {
    return this.#epoch;
  }
  get wanting(): boolean {
    return !this.#closed && this.#fetchOffset >= 0 && this.#bytes < PREFETCH_BYTES && this.#failure === null;
  }

  seek(offset: number): void {
    this.#fetched = [];
    this.#bytes = 0;
    this.#fetchOffset = offset;
    this.#epoch++;
    this.#wanted();
  }

  async read(waitMs: number): Promise<readonly InputRecord[]> {
    if (this.#fetched.length === 0 && !this.#failure && waitMs > 0) await this.#wait(waitMs);
    if (this.#fetched.length === 0) {
      if (this.#failure) throw this.#failure;
      return [];
    }
    const records = this.#fetched;
    const hadRoom = this.#bytes < PREFETCH_BYTES;
    this.#fetched = [];
    this.#bytes = 0;
    if (!hadRoom) this.#wanted();
    return records;
  }

  #wait(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#resume?.(), waitMs);
      this.#resume = () => {
        clearTimeout(timer);
        this.#resume = null;
        resolve();
      };
    });
  }

  wake(): void {
    this.#resume?.();
  }

  deliver(records: InputRecord[], nextOffset: number, highWatermark: number): void {
    this.#highWatermark = highWatermark;
    this.#fetchOffset = nextOffset;
    if (records.length === 0) return;
    if (this.#fetched.length === 0) this.#fetched = records;
    else for (const record of records) this.#fetched.push(record);
    for (const record of records) this.#bytes += (record.value?.length ?? 0) + 100;
    this.wake();
  }

  /** The broker says that the position is outside the log. */
  async outOfRange(): Promise<void> {
    const { earliest, latest } = await this.bounds();
    if (this.#fetchOffset >= earliest && this.#fetchOffset <= latest) return; // it was a leader that lagged behind
    this.#failure = new MillraceError(
      "input-lost",
      `partition ${this.partition}: offset ${this.#fetchOffset} is outside the log, which has ${earliest} to ${latest}; see \`npm run recover\``,
    );
    this.wake();
  }

  lag(): number {
    return Math.max(0, this.#highWatermark - (this.#fetched[0]?.offset ?? this.#fetchOffset));
  }

  close(): void {
    this.#closed = true;
    this.#fetched = [];
    this.wake();
    this.#onClose(this);
  }
}
