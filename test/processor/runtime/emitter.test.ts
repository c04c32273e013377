import { describe, expect, test } from "@jest/globals";
import { Counters } from "../../../processor/runtime/counters.ts";
import { Emitter } from "../../../processor/runtime/emitter.ts";

const MAX_BYTES = 200_000;

function emitter(): { readonly out: Emitter; readonly counters: Counters } {
  const counters = new Counters();
  const options = { source: "in", partition: 3, deadLetter: "dead", maxOutputBytes: MAX_BYTES, counters };
  const out = new Emitter(options, null);
  out.begin(42, "00-trace");
  return { out, counters };
}

/** `{"id":"in/3/42/0","schema":1,"x":"…"}`: 36 bytes around x. The key has 1, the headers have 55. */
const AROUND = 36 + 1 + "content-typeapplication/jsontraceparent00-trace".length;

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
      "error-message": expect.stringContaining(`out in/3/42/0 has ${MAX_BYTES + 1} bytes`),
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
