import { crc32 } from "node:zlib";
import type { DeadLetterCode } from "../../domain/errors.ts";
import { recordId } from "../../domain/records.ts";
import { contentTypes, headers as headerNames } from "../../domain/topics.ts";
import { Chain } from "./chain.ts";
import type { Counters } from "./counters.ts";
import { letterOf, type LetterSource, shortened, sizeOf } from "./dead-letters.ts";
import { Piece, JsonBytes } from "./json-bytes.ts";
import { JsonOutput } from "./json-output.ts";
import type { OutputRecord } from "./machine.ts";

const JSON_HEADERS = Object.freeze({ [headerNames.contentType]: contentTypes.json });

/** Longest traceparent that is carried on; that of W3C Trace Context, version 00, has 55 characters. */
const MAX_TRACEPARENT = 256;
/** An `ingest-ms` that is carried on: whole epoch milliseconds. */
const INGEST_MS = /^\d{1,16}$/;

type Headers = Readonly<Record<string, string>>;

/** Room that an output leaves for the fields that come from scores: labels are bounded in number and length. */
const SCORED_FIELDS_BYTES = 64 * 1_024;
/** No bound is so low that a value of this size could exceed it. */
const SMALL_BYTES = 64 * 1_024;

/** An output whose last fields come from scores. They are filled in before the step's outputs are taken. */
export class PendingOutput implements OutputRecord {
  readonly topic: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
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

/** A topic that outputs go to. */
class OutputTopic {
  readonly name: string;
  /** CRC-32 of its name. */
  readonly crc: number;
  /** The step that has given it outputs last, and how many. */
  step = -1;
  count = 0;

  constructor(name: string) {
    this.name = name;
    this.crc = crc32(name);
  }
}

/** Behind the offset: of a step's first output to a topic, and around the number of another. */
const FIRST = new Piece('/0","schema":1');
const SLASH = new Piece("/");
const BEHIND_ID = new Piece('","schema":1');
const END = new Piece("}");

/** Where an emitter's outputs come from, and what they may be. */
export interface EmitterOptions {
  /** The log that the partition belongs to, as ids and dead letters name it. */
  readonly log: string;
  readonly partition: number;
  /** Topic of the dead letters. */
  readonly deadLetter: string;
  /** Bytes of an output's key, value and headers. */
  readonly maxOutputBytes: number;
  readonly counters: Counters;
}

/**
 * Numbers a step's outputs per topic and collects them. An output that is too large is left out: a dead letter says so,
 * with its id.
 *
 * The chain covers all outputs in order. A record of ours has its key in its value; the key of a verbatim record goes
 * into the chain before its value.
 */
export class Emitter {
  readonly #options: EmitterOptions;
  /** See `EmitterOptions`; other settings may change it. */
  maxOutputBytes: number;
  #offset = 0;
  #headers: Headers = JSON_HEADERS;
  /** `#headers` with another content type; what they were made from. */
  #bytesHeaders: Headers = JSON_HEADERS;
  #bytesHeadersOf: Headers | null = null;
  /** Counts the steps. */
  #step = 0;
  /** A few: they are found by looking at each. */
  readonly #topics: OutputTopic[] = [];
  #outputs: OutputRecord[] = [];
  readonly #bytes = new JsonBytes();
  /** Of the record that is open: its topic, and its number among the step's outputs there. */
  #open: OutputTopic | null = null;
  #openNumber = 0;
  /** The JSON of a record up to the offset in its id. */
  readonly #idPrefix: Piece;
  readonly #chain: Chain;

  constructor(options: EmitterOptions, chain: string | null) {
    this.#options = options;
    this.maxOutputBytes = options.maxOutputBytes;
    this.#idPrefix = new Piece(`{"id":"${recordId(options.log, options.partition, 0, 0).slice(0, -"0/0".length)}`);
    this.#chain = new Chain(chain);
  }

  /** See `Chain.text`. */
  get chain(): string {
    return this.#chain.text;
  }

  /** Begins the step of a record: its outputs carry on where it came from and when. */
  begin(offset: number, source: Headers): void {
    this.#offset = offset;
    const { [headerNames.traceparent]: trace, [headerNames.ingestMs]: ingested } = source;
    const carriesTrace = trace !== undefined && trace.length <= MAX_TRACEPARENT;
    const carriesIngest = ingested !== undefined && INGEST_MS.test(ingested);
    if (!carriesTrace && !carriesIngest) this.#headers = JSON_HEADERS;
    else {
      this.#headers = {
        ...JSON_HEADERS,
        ...(carriesIngest ? { [headerNames.ingestMs]: ingested } : {}),
        ...(carriesTrace ? { [headerNames.traceparent]: trace } : {}),
      };
    }
    this.#step++;
  }

  /** The id of the next output to a topic. The caller must emit that output next. */
  nextId(topic: string): string {
    return this.#idOf(this.#numberIn(this.#topicOf(topic)));
  }

  #topicOf(name: string): OutputTopic {
    for (let i = 0; i < this.#topics.length; i++) if (this.#topics[i]!.name === name) return this.#topics[i]!;
    const topic = new OutputTopic(name);
    this.#topics.push(topic);
    return topic;
  }

  /** The number of the next output among the step's outputs to a topic. */
  #numberIn(topic: OutputTopic): number {
    if (topic.step !== this.#step) {
      topic.step = this.#step;
      topic.count = 0;
    }
    return topic.count++;
  }

  #idOf(n: number): string {
    return recordId(this.#options.log, this.#options.partition, this.#offset, n);
  }

  /** Emits a record of ours as JSON: `id`, `schema`, then `fields` in their order. */
  json(topic: string, key: string, fields: object): void {
    const id = this.nextId(topic);
    const value = Buffer.from(textOf(id, fields));
    this.#emit({ topic, key, value, headers: this.#headers }, id);
  }

  /**
   * Begins a record as `json` does, for records that are many: the caller writes the fields, each with a comma in
   * front, and then calls `close`.
   */
  open(topic: string): JsonBytes {
    const bytes = this.#bytes;
    const open = this.#topicOf(topic);
    this.#open = open;
    this.#openNumber = this.#numberIn(open);
    bytes.begin();
    bytes.piece(this.#idPrefix);
    bytes.number(this.#offset);
    if (this.#openNumber === 0) bytes.piece(FIRST);
    else {
      bytes.piece(SLASH);
      bytes.number(this.#openNumber);
      bytes.piece(BEHIND_ID);
    }
    return bytes;
  }

  /** Emits the record that `open` began. */
  close(key: string): void {
    this.#bytes.piece(END);
    const { memory, from, to } = this.#bytes;
    const { name, crc } = this.#open!;
    const output = new JsonOutput(name, key, this.#headers, memory, from, to);
    const size = to - from <= SMALL_BYTES ? 0 : sizeOf(key, output.value, this.#headers);
    if (size > this.maxOutputBytes) return this.#tooLarge(output, this.#idOf(this.#openNumber), size);
    this.#chain.addFrom(crc, memory, from, to);
    this.#outputs.push(output);
  }

  /** Emits bytes of another content type that contain `id`, which `nextId(topic)` gave. */
  bytes(topic: string, key: string, value: Uint8Array, contentType: string, id: string): void {
    if (this.#bytesHeadersOf !== this.#headers || this.#bytesHeaders[headerNames.contentType] !== contentType) {
      this.#bytesHeadersOf = this.#headers;
      this.#bytesHeaders = Object.freeze({ ...this.#headers, [headerNames.contentType]: contentType });
    }
    this.#emit({ topic, key, value, headers: this.#bytesHeaders }, id);
  }

  /**
   * Emits a record of ours whose last fields come from scores. `fields` go into the chain; the caller completes the
   * output before the step's outputs are taken.
   */
  pending(topic: string, key: string, fields: object): PendingOutput {
    const id = this.nextId(topic);
    const text = textOf(id, fields).slice(0, -1);
    const output = new PendingOutput(topic, key, this.#headers, text);
    const size = sizeOf(key, text, this.#headers) + SCORED_FIELDS_BYTES;
    if (size > this.maxOutputBytes) this.#tooLarge(output, id, size);
    else {
      this.#chain.add(this.#topicOf(topic).crc, text);
      this.#outputs.push(output);
    }
    return output;
  }

  /** Emits a dead letter: what its source was, cut to fit, and why. */
  deadLetter(source: LetterSource, code: DeadLetterCode, message: string): void {
    const { log, partition, deadLetter, counters } = this.#options;
    counters.add(`processor.dead-letters{code="${code}"}`);
    const own = {
      [headerNames.errorCode]: code,
      [headerNames.errorMessage]: shortened(message),
      [headerNames.stage]: "processor",
      [headerNames.sourceTopic]: log,
      [headerNames.sourcePartition]: String(partition),
      [headerNames.sourceOffset]: String(this.#offset),
    };
    const { key, value, headers } = letterOf(source, own, this.maxOutputBytes);
    if (key !== null) this.#chain.mix(key);
    this.#chain.add(this.#topicOf(deadLetter).crc, value ?? "");
    this.#outputs.push({ topic: deadLetter, key, value, headers });
  }

  #emit(output: OutputRecord & { readonly key: string; readonly value: Uint8Array }, id: string): void {
    const { key, value, headers } = output;
    // The headers are ours and small: they are measured only where they could matter.
    const size = value.length <= SMALL_BYTES ? 0 : sizeOf(key, value, headers);
    if (size > this.maxOutputBytes) return this.#tooLarge(output, id, size);
    this.#chain.add(this.#topicOf(output.topic).crc, value);
    this.#outputs.push(output);
  }

  #tooLarge({ topic, key, headers }: Omit<OutputRecord, "value">, id: string, size: number): void {
    this.#options.counters.add("processor.outputs-too-large");
    const message =
      `${topic} ${id} has ${size} bytes; at most ${this.maxOutputBytes} are written. ` +
      "The record that it was made from stands; the output is left out";
    const { [headerNames.traceparent]: traceparent } = headers;
    const source = { key: Buffer.from(key as string), value: null, headers: traceparent ? { traceparent } : {} };
    this.deadLetter(source, "output-too-large", message);
  }

  /** Gives the outputs since the last call. */
  take(): OutputRecord[] {
    this.#chain.settle();
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }
}

function textOf(id: string, fields: object): string {
  return `{"id":"${id}","schema":1,${JSON.stringify(fields).slice(1)}`;
}
