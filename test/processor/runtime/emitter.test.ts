import { describe, expect, test } from "@jest/globals";
import { Counters } from "../../../processor/runtime/counters.ts";
import { Emitter } from "../../../processor/runtime/emitter.ts";

const MAX_BYTES = 200_000;

function emitter(): { readonly out: Emitter; readonly counters: Counters } {
  const counters = new Counters();
  const options = { log: "in", partition: 3, deadLetter: "dead", maxOutputBytes: MAX_BYTES, counters };
  const out = new Emitter(options, null);
  out.begin(42, { traceparent: "00-trace" });
  return { out, counters };
}

/** `{"id":"in/3/42/0","schema":1,"x":"…"}`: 36 bytes around x. The key has 1, the headers have 55. */
const AROUND = 36 + 1 + "content-typeapplication/jsontraceparent00-trace".length;

test("an output carries on the trace and the ingest time of its source, unless they are none", () => {
  const { out } = emitter();
  const headersOf = (source: Record<string, string>): object => {
    out.begin(43, source);
    out.json("out", "k", {});
    return out.take()[0]!.headers;
  };
  const json = { "content-type": "application/json" };
  const carried = { traceparent: "00-1", "ingest-ms": "1657533977900" };
  expect(headersOf({ ...carried, note: "its own" })).toEqual({ ...json, ...carried });
  expect(headersOf({ traceparent: "0".repeat(257), "ingest-ms": "now" })).toEqual(json);
  expect(headersOf({ "ingest-ms": "1".repeat(17) })).toEqual(json);
});

describe("an output", () => {
  test("as large as it may be is written", () => {
    const { out } = emitter();
    out.json("out", "k", { x: "y".repeat(MAX_BYTES - AROUND) });
    expect(out.take().map(({ topic }) => topic)).toEqual(["out"]);
  });

  test("one byte larger is left out, with a dead letter that has its id, and the next one has the next id", () => {
    const { out, counters } = emitter();
    out.json("out", "k", { x: "y".repeat(MAX_BYTES - AROUND + 1) });
    out.json("out", "k", { x: 1 });
    const [letter, next] = out.take();
    expect(letter).toMatchObject({ topic: "dead", key: Buffer.from("k"), value: null });
    expect(letter!.headers).toMatchObject({
      "error-code": "output-too-large",
      "error-message": expect.stringMatching(
        new RegExp(
          `out in/3/42/0 has ${MAX_BYTES + 1} bytes.*The record that it was made from stands; the output is left out`,
        ),
      ),
      "source-topic": "in",
      "source-partition": "3",
      "source-offset": "42",
      traceparent: "00-trace",
    });
    expect(Buffer.from(next!.value!).toString()).toBe('{"id":"in/3/42/1","schema":1,"x":1}');
    expect(counters.get("processor.outputs-too-large")).toBe(1);
  });

  test("that waits for scores leaves room for them", () => {
    const { out } = emitter();
    out.pending("out", "k", { x: "y".repeat(MAX_BYTES - 60_000) }).complete({ label: "a" });
    expect(out.take().map(({ topic }) => topic)).toEqual(["dead"]);
  });

  test("that is left out is in the chain by its dead letter", () => {
    const chainOf = (length: number): string => {
      const { out } = emitter();
      out.json("out", "k", { x: "y".repeat(length) });
      return out.chain;
    };
    expect(chainOf(MAX_BYTES)).not.toBe(chainOf(10));
    expect(chainOf(MAX_BYTES)).toMatch(/^1-/);
  });
});

/** CRC-32 bit by bit, from the polynomial (IEEE 802.3, reflected). */
function crc32(text: string, before = 0): number {
  let crc = ~before;
  for (const byte of Buffer.from(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** The chain as the docstring of `Emitter` has it, over a key (of a dead letter alone), a topic and a value. */
function chained(
  outputs: readonly { readonly key?: string; readonly topic: string; readonly value: string }[],
): string {
  const crc = outputs.reduce((before, { key = "", topic, value }) => {
    const withTopic = (crc32(key, before) ^ crc32(topic)) >>> 0;
    return crc32(value, withTopic);
  }, 0);
  return `${outputs.length}-${crc.toString(16).padStart(8, "0")}`;
}

describe("the chain", () => {
  test("is a CRC-32 over the contents and topics of all outputs, in order, less what comes from scores", () => {
    expect(crc32("123456789")).toBe(0xcbf43926);
    const { out } = emitter();
    expect(out.chain).toBe("0-00000000");
    out.json("one", "k", { x: 1 });
    out.bytes("two", "k", Buffer.from("bytes"), "text/plain", out.nextId("two"));
    out.pending("one", "k", { x: 2 }).complete({ label: "walking" });
    out.deadLetter({ key: Buffer.from("key"), value: Buffer.from("value"), headers: {} }, "invalid-message", "why");
    const outputs = [
      { topic: "one", value: '{"id":"in/3/42/0","schema":1,"x":1}' },
      { topic: "two", value: "bytes" },
      { topic: "one", value: '{"id":"in/3/42/1","schema":1,"x":2' },
      { key: "key", topic: "dead", value: "value" },
    ];
    expect(out.chain).toBe(chained(outputs));
    expect(out.chain).not.toBe(chained(outputs.toReversed()));
  });

  test("is the same for records that are written as bytes, whatever comes between and wherever they lie", () => {
    const { out } = emitter();
    const outputs: { readonly key?: string; readonly topic: string; readonly value: string }[] = [];
    const written: string[] = [];
    for (let n = 0; n < 2_000; n++) {
      out.begin(n, {});
      const topic = n % 3 === 0 ? "one" : "two";
      const x = "x".repeat(n === 700 ? 100_000 : n === 900 ? MAX_BYTES : n % 97);
      out.open(topic).raw(`,"x":"${x}"`);
      out.close("k");
      const value = `{"id":"in/3/${n}/0","schema":1,"x":"${x}"}`;
      if (n === 900) outputs.push({ key: "k", topic: "dead", value: "" });
      else outputs.push({ topic, value });
      if (n % 100 === 50) {
        out.json(topic, "k", { n });
        outputs.push({ topic, value: `{"id":"in/3/${n}/1","schema":1,"n":${n}}` });
      }
      if (n % 500 === 499) expect(out.chain).toBe(chained(outputs));
      if (n % 250 === 249) written.push(...out.take().map((output) => String(output.value ?? "")));
    }
    expect(written).toEqual(outputs.map(({ value }) => value));
    expect(out.chain).toBe(chained(outputs));
  });

  test("continues where another emitter's ended", () => {
    const { out } = emitter();
    out.json("one", "k", { x: 1 });
    const options = { log: "in", partition: 3, deadLetter: "dead", maxOutputBytes: MAX_BYTES };
    const next = new Emitter({ ...options, counters: new Counters() }, out.chain);
    for (const each of [out, next]) {
      each.begin(43, {});
      each.json("one", "k", { x: 2 });
    }
    expect(next.chain).toBe(out.chain);
    expect(next.take()[0]!.headers).toEqual({ "content-type": "application/json" });
  });
});

test("dead letters are counted, and say where they are from", () => {
  const { out, counters } = emitter();
  out.deadLetter({ key: null, value: null, headers: { a: "b" } }, "invalid-message", "why");
  expect(counters.get('processor.dead-letters{code="invalid-message"}')).toBe(1);
  expect(out.take()).toEqual([
    {
      topic: "dead",
      key: null,
      value: null,
      headers: {
        a: "b",
        "error-code": "invalid-message",
        "error-message": "why",
        stage: "processor",
        "source-topic": "in",
        "source-partition": "3",
        "source-offset": "42",
      },
    },
  ]);
});
