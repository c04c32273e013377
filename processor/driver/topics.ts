import type { Admin, Cluster } from "kafkajs";
import { fetchRecords } from "../../adapters/kafka-records.ts";
import { createTopics } from "../../adapters/kafka-topics.ts";
import { topics } from "../../domain/topics.ts";
import type { OutputRecord } from "../runtime/machine.ts";
import type { WrittenRecord } from "./backend.ts";

/**
 * The topics of one driver: a pipeline's topics, each under a name of its own, so that other drivers and programs can
 * use the same brokers. A topic has one partition, is created when first needed, and keeps timestamps as they are
 * given.
 */
export class DriverTopics {
  readonly #admin: Admin;
  readonly #cluster: Cluster;
  readonly #prefix: string;
  /** Offset to read next, of every topic that was created. */
  readonly #positions = new Map<string, number>();
  /** Topics that were written to since they were last read. */
  readonly #unread = new Set<string>();

  constructor(admin: Admin, cluster: Cluster, prefix: string) {
    this.#admin = admin;
    this.#cluster = cluster;
    this.#prefix = prefix;
  }

  /** The name of a pipeline's topic on the brokers. */
  nameOf(topic: string): string {
    return `${this.#prefix}.${topic}`;
  }

  /** Creates those topics that were not created before. */
  async create(wanted: Iterable<string>): Promise<void> {
    const missing = [...new Set(wanted)].filter((topic) => !this.#positions.has(topic));
    if (missing.length === 0) return;
    await createTopics(this.#admin, {
      specs: missing.map((topic) => ({
        ...topics.aggregated,
        name: this.nameOf(topic),
        partitions: 1,
        retentionMs: -1,
      })),
    });
    for (const topic of missing) if (!this.#positions.has(topic)) this.#positions.set(topic, 0);
  }

  /** The same records, addressed to the topics on the brokers. Creates topics that are missing. */
  async address(outputs: readonly OutputRecord[]): Promise<OutputRecord[]> {
    await this.create(outputs.map(({ topic }) => topic));
    for (const { topic } of outputs) this.#unread.add(topic);
    return outputs.map(({ topic, key, value, headers }) => ({ topic: this.nameOf(topic), key, value, headers }));
  }

  /** The records that were committed since the last call. Waits for open transactions to end. */
  async takeNew(): Promise<WrittenRecord[]> {
    const byTopic = await Promise.all([...this.#unread].map((topic) => this.#read(topic)));
    return byTopic.flat();
  }

  /** Reads to the high watermark: a commit may be answered before its markers are in every partition. */
  async #read(topic: string): Promise<WrittenRecord[]> {
    const name = this.nameOf(topic);
    await this.#cluster.addTargetTopic(name);
    const written: WrittenRecord[] = [];
    for (let behind = true; behind;) {
      const position = this.#positions.get(topic)!;
      const { records, nextOffset, highWatermark } = await fetchRecords(this.#cluster, name, 0, position);
      for (const { key, value, headers } of records) written.push({ topic, key, value, headers });
      this.#positions.set(topic, nextOffset);
      behind = nextOffset < highWatermark;
    }
    this.#unread.delete(topic);
    return written;
  }

  /** Deletes all topics that were created. */
  async remove(): Promise<void> {
    await this.#admin.deleteTopics({ topics: [...this.#positions.keys()].map((topic) => this.nameOf(topic)) });
  }
}
