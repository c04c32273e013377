import { crc32 } from "node:zlib";
import { recordId } from "../../domain/records.ts";
import { contentTypes, headers as headerNames } from "../../domain/topics.ts";
import type { OutputRecord } from "./machine.ts";

const JSON_HEADERS = Object.freeze({ [headerNames.contentType]: contentTypes.json });

/** An output whose last fields come from scores. They are filled in before the step's outputs are taken. */
export class PendingOutput implements OutputRecord {
  readonly topic: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly scored = true;
  value: Uint8Array | null = null;
  /** The record's JSON up to the fields that are still missing, without the closing brace. */
  readonly #text: string;

  constructor(topic: string, key: string, headers: Readonly<Record<string, string>>, text: string) {
    this.topic = topic;
    this.key = key;
    this.headers = headers;
    this.#text = text;
  }

  /** Fills in the last fields; there may be none. */
  complete(fields: object): void {
    const rest = JSON.stringify(fields).slice(1);
    this.value = Buffer.from(this.#text + (rest === "}" ? rest : `,${rest}`));
  }
}

/**
 * Numbers a step's outputs per topic and collects them.
 *
 * The chain covers all outputs in order: how many there were, and a running CRC-32 over their values, into which each
 * record's topic is mixed. A record of ours has its key in its value; the key of a verbatim record goes into the chain
 * before its value.
 */
export class Emitter {
  readonly #sourceTopic: string;
  readonly #partition: number;
  #offset = 0;
  #headers: Readonly<Record<string, string>> = JSON_HEADERS;
  readonly #counts = new Map<string, number>();
  #outputs: OutputRecord[] = [];
  readonly #topicCrcs = new Map<string, number>();
  #crc = 0;
  #chained = 0;

  constructor(sourceTopic: string, partition: number, chain: string | null) {
    this.#sourceTopic = sourceTopic;
    this.#partition = partition;
    if (chain !== null) {
      const [chained, crc] = chain.split("-");
      this.#chained = Number(chained);
      this.#crc = Number.parseInt(crc!, 16);
    }
  }

  /** `<outputs so far>-<CRC-32 in hex>` */
  get chain(): string {
    return `${this.#chained}-${this.#crc.toString(16).padStart(8, "0")}`;
  }

  /** Begins a step. */
  begin(offset: number, traceparent: string | undefined): void {
    this.#offset = offset;
    this.#headers =
      traceparent === undefined ? JSON_HEADERS : { ...JSON_HEADERS, [headerNames.traceparent]: traceparent };
    if (this.#counts.size > 0) this.#counts.clear();
  }

  /** The id of the next output to a topic. The caller must emit that output next. */
  nextId(topic: string): string {
    const n = this.#counts.get(topic) ?? 0;
    this.#counts.set(topic, n + 1);
    return recordId(this.#sourceTopic, this.#partition, this.#offset, n);
  }

  /** Emits a record of ours as JSON: `id`, `schema`, then `fields` in their order. */
  json(topic: string, key: string, fields: object): void {
    const value = Buffer.from(this.#text(topic, fields));
    this.#chainAndPush({ topic, key, value, headers: this.#headers, scored: false });
  }

  /** Emits bytes of another content type, in which the caller has put `nextId(topic)`. */
  bytes(topic: string, key: string, value: Uint8Array, contentType: string): void {
    const headers = { ...this.#headers, [headerNames.contentType]: contentType };
    this.#chainAndPush({ topic, key, value, headers, scored: false });
  }

  /**
   * Emits a record of ours whose last fields come from scores. `fields` go into the chain; the caller completes the
   * output before the step's outputs are taken.
   */
  pending(topic: string, key: string, fields: object): PendingOutput {
    const text = this.#text(topic, fields).slice(0, -1);
    const output = new PendingOutput(topic, key, this.#headers, text);
    this.#chain(topic, text);
    this.#outputs.push(output);
    return output;
  }

  /** Emits a record as it is, with headers of its own. */
  verbatim(
    topic: string,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: Readonly<Record<string, string>>,
  ): void {
    if (key !== null) this.#crc = crc32(key, this.#crc);
    this.#chainAndPush({ topic, key, value, headers, scored: false });
  }

  #text(topic: string, fields: object): string {
    return `{"id":"${this.nextId(topic)}","schema":1,${JSON.stringify(fields).slice(1)}`;
  }

  #chainAndPush(output: OutputRecord): void {
    this.#chain(output.topic, output.value ?? "");
    this.#outputs.push(output);
  }

  /** Makes one native call per output: a call costs more than the bytes. */
  #chain(topic: string, value: string | Uint8Array): void {
    let topicCrc = this.#topicCrcs.get(topic);
    if (topicCrc === undefined) this.#topicCrcs.set(topic, (topicCrc = crc32(topic)));
    this.#crc = crc32(value, (this.#crc ^ topicCrc) >>> 0);
    this.#chained++;
  }

  /** Gives the outputs since the last call. */
  take(): OutputRecord[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }
}
