import type { Admin, Cluster } from "kafkajs";
import { createTopics } from "../../adapters/kafka-topics.ts";
import { topics } from "../../domain/topics.ts";
import { fetchRecords } from "../adapters/kafka-records.ts";
import type { WrittenRecord } from "./backend.ts";

/**
 * The topics of one driver: a pipeline's topics under names of their own, so that other drivers and other programs on
 * the same brokers don't meet them. One partition each, made when first needed, with timestamps as they are given.
 */
export class DriverTopics {
  readonly #admin: Admin;
  readonly #cluster: Cluster;
  readonly #prefix: string;
  /** Offset to read next, of every topic that there is. */
  readonly #positions = new Map<string, number>();
  /** Topics that have been written to since they were read. */
  readonly #unread = new Set<string>();

  constructor(admin: Admin, cluster: Cluster, prefix: string) {
    this.#admin = admin;
    this.#cluster = cluster;
    this.#prefix = prefix;
  }

  /** What a topic of the pipeline is called on the brokers. */
  nameOf(topic: string): string {
    return `${this.#prefix}.${topic}`;
  }

  /** Creates the topics that are not there yet. */
  async make(wanted: Iterable<string>): Promise<void> {
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

  /** The same records under their topics' names on the brokers, which are made when they are missing. */
  async address<R extends { readonly topic: string }>(outputs: readonly R[]): Promise<R[]> {
    await this.make(outputs.map(({ topic }) => topic));
    for (const { topic } of outputs) this.#unread.add(topic);
    return outputs.map((output) => ({ ...output, topic: this.nameOf(output.topic) }));
  }

  /** What has been committed since the last call. Waits for transactions that are still open. */
  async takeNew(): Promise<WrittenRecord[]> {
    const byTopic = await Promise.all([...this.#unread].map((topic) => this.#read(topic)));
    return byTopic.flat();
  }

  /** A commit is answered before its markers are in every partition: only behind the high watermark nothing is missing. */
  async #read(topic: string): Promise<WrittenRecord[]> {
    const name = this.nameOf(topic);
    await this.#cluster.addTargetTopic(name);
    const written: WrittenRecord[] = [];
    for (let behind = true; behind;) {
      const { records, nextOffset, highWatermark } = await fetchRecords(
        this.#cluster,
        name,
        0,
        this.#positions.get(topic)!,
      );
      for (const { key, value, headers } of records) written.push({ topic, key, value, headers });
      this.#positions.set(topic, nextOffset);
      behind = nextOffset < highWatermark;
    }
    this.#unread.delete(topic);
    return written;
  }

  async remove(): Promise<void> {
    await this.#admin.deleteTopics({ topics: [...this.#positions.keys()].map((topic) => this.nameOf(topic)) });
  }
}
