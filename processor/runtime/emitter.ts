import { crc32 } from "node:zlib";
import { recordId } from "../../domain/records.ts";
import { contentTypes, headers as headerNames } from "../../domain/topics.ts";
import type { OutputRecord } from "./machine.ts";

const JSON_HEADERS = Object.freeze({ [headerNames.contentType]: contentTypes.json });

/** An output whose value may be filled in once scores are there. */
export interface PendingOutput extends OutputRecord {
  value: Uint8Array | null;
}

/**
 * Numbers a step's outputs per topic and collects them. The chain covers what is emitted here, in order: a running
 * CRC-32 over the values, into which each record's topic is mixed, and how many there were. A value of ours names its
 * key; the key of a verbatim record goes into the chain before its value.
 */
export class Emitter {
  readonly #sourceTopic: string;
  readonly #partition: number;
  #offset = 0;
  #headers: Readonly<Record<string, string>> = JSON_HEADERS;
  readonly #counts = new Map<string, number>();
  #outputs: PendingOutput[] = [];
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

  /** The id of the next output to a topic: whoever takes it emits it. */
  nextId(topic: string): string {
    const n = this.#counts.get(topic) ?? 0;
    this.#counts.set(topic, n + 1);
    return recordId(this.#sourceTopic, this.#partition, this.#offset, n);
  }

  /** Emits JSON; `write` gives the text with the id that it is handed. */
  json(topic: string, key: string, write: (id: string) => string): void {
    this.#chainAndPush({
      topic,
      key,
      value: Buffer.from(write(this.nextId(topic))),
      headers: this.#headers,
      scored: false,
    });
  }

  /** Emits bytes of another content type. */
  bytes(topic: string, key: string, value: Uint8Array, contentType: string): void {
    this.#chainAndPush({
      topic,
      key,
      value,
      headers: { ...this.#headers, [headerNames.contentType]: contentType },
      scored: false,
    });
  }

  /**
   * Emits a record whose value comes from scores: `chained` is what goes into the chain, the value is filled in by the
   * caller before the step's outputs are taken.
   */
  pending(topic: string, key: string, chained: string): PendingOutput {
    const output: PendingOutput = { topic, key, value: null, headers: this.#headers, scored: true };
    this.#chain(topic, chained);
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

  #chainAndPush(output: PendingOutput): void {
    this.#chain(output.topic, output.value ?? "");
    this.#outputs.push(output);
  }

  /** One native call an output: a call costs more than the bytes. */
  #chain(topic: string, value: string | Uint8Array): void {
    let topicCrc = this.#topicCrcs.get(topic);
    if (topicCrc === undefined) this.#topicCrcs.set(topic, (topicCrc = crc32(topic)));
    this.#crc = crc32(value, (this.#crc ^ topicCrc) >>> 0);
    this.#chained++;
  }

  take(): OutputRecord[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }
}
