import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import { SequencedMessage } from "../../../../processor/operators/sequenced-message.ts";
import { decodeImu, IMU_WIDTH } from "../../../../processor/pipelines/sensor/decode-imu.ts";
import { pack, packedHeaders } from "../../../reference/packed.ts";

const ROW = "[1,2,2,2,3,6]";
const one = (samples: string, t = "[0]"): string => `{"seq":0,"t":${t},"samples":[${samples}]}`;

/** What `decodeImu` says of a payload, as `code: message`. */
function problemOf(payload: string | Uint8Array, headers: Record<string, string> = {}): string {
  const value = typeof payload === "string" ? Buffer.from(payload) : payload;
  const rejection = decodeImu("s", value, headers, new SequencedMessage(IMU_WIDTH));
  return rejection === null ? "accepted" : `${rejection.code}: ${rejection.message}`;
}

test.each([
  [
    "deg/s",
    one("[0,0,9.8,250,0,0]"),
    "sample 0, gx is 250; rad/s (1 rad/s is 57.3 deg/s) are expected, from -70 to 70",
  ],
  ["milli-g", one("[0,0,1000,0,0,0]"), "sample 0, az is 1000; m/s² (1 g is 9.80665 m/s²) are expected"],
  ["an infinite number, as it was written", one("[-1e400,0,0,0,0,0]"), "sample 0, ax is -1e400; m/s²"],
  ["digits that a double has not", one("[0,0,0,0,0,70.00000000000010]"), "sample 0, gz is 70.00000000000010; rad/s"],
  [
    "several, the first in the order of the payload",
    one(`${ROW},[0,0,0,0,0,-71.50],[400,0,0,99,0,0]`, "[0,1,2]"),
    "sample 1, gz is -71.50; rad/s (1 rad/s is 57.3 deg/s) are expected, from -70 to 70 " +
      "(3 of 18 values are out of range)",
  ],
  ["a long number, cut", one(`[${"9".repeat(400)},0,0,0,0,0]`), `sample 0, ax is ${"9".repeat(40)}…;`],
  ["a number that a double rounds", `{"seq":9007199254740993,"t":[0],"samples":[${ROW}]}`, "seq is 9007199254740993;"],
  [
    "of two fields the one that counts",
    `{"seq":-1.0,"seq":-2.0,"t":[0],"samples":[${ROW}]}`,
    "seq is -2.0; it must be",
  ],
  ["hz", `{"seq":0,"t":0,"hz":1e5,"samples":[${ROW}]}`, "hz is 1e5; it must be above 0 and at most 10000"],
  ["a time", one(ROW, "[1e16]"), "t is 1e16 at sample 0; epoch milliseconds up to 8640000000000000 are allowed"],
  ["nanoseconds", one(ROW, "[1657533977813000000]"), "t is 1657533977813000000 at sample 0; epoch milliseconds up to"],
  ["a later time", one(`${ROW},${ROW}`, "[0,10E15]"), "t is 10E15 at sample 1; epoch milliseconds"],
  ["the first time", `{"seq":0,"t":-1.0e16,"hz":1,"samples":[${ROW}]}`, "t is -1.0e16; epoch milliseconds"],
  [
    "a time that hz gives",
    `{"seq":0,"t":8640000000000000,"hz":0.001,"samples":[${ROW},${ROW}]}`,
    "the last sample's time by t and hz is 8640000001000000; epoch milliseconds",
  ],
])("what is out of range is quoted, with its unit: %s", (_, payload, message) => {
  expect(problemOf(payload)).toContain(`out-of-range: ${message}`);
});

test("nanoseconds are named", () => {
  expect(problemOf(one(ROW, "[1657533977813000000]"))).toMatch(/are allowed: it would fit in nanoseconds$/);
  expect(problemOf(one(ROW, "[1e300]"))).toMatch(/are allowed$/);
});

test("a packed reading is shown as the number that it is", () => {
  const payload = pack({ seq: 0, t: [0], samples: [[0, 0, 0, 0, NaN, 250]] });
  expect(problemOf(payload, packedHeaders)).toBe(
    "out-of-range: sample 0, gy is NaN; rad/s (1 rad/s is 57.3 deg/s) are expected, from -70 to 70 " +
      "(2 of 6 values are out of range)",
  );
});

test.each([
  [one("[1,2,3,4,5,6,7,8,9]"), "samples: row 0 has 9 columns; 6 numbers are expected, ax ay az gx gy gz"],
  [
    one(`${ROW},[1,2,3],{"x":1,"y":2},[1]`, "[0,1,2,3]"),
    "samples: row 1 has 3 columns; 6 numbers are expected, ax ay az gx gy gz (3 of 4 rows are wrong)",
  ],
  [one(`{"x":1,"y":2}`), "samples: row 0 is an object, with the fields x, y; 6 numbers are expected"],
  [one(`${ROW},[1,2,"3.5",4,5,6]`, "[0,1]"), 'samples: row 1: entry 2 is the text "3.5"; a number is expected'],
  [one("[1,2,null,4,5,6]"), "samples: row 0: entry 2 is null; a number is expected"],
  [one(""), "t has 1 times for 0 samples; samples is empty; 1 to 1,000 rows are expected"],
  [`{"seq":"17","t":[0],"samples":[${ROW}]}`, 'seq is the text "17"; an integer is expected'],
  [`{"seq":1.50,"t":[0],"samples":[${ROW}]}`, "seq is 1.50; an integer is expected"],
  [`{"seq":1e400,"t":[0],"samples":[${ROW}]}`, "seq is 1e400; an integer is expected"],
  [`{"seq":0,"boot":"${"b".repeat(70)}","t":[0],"samples":[${ROW}]}`, "boot has 70 characters; at most 64 are allowed"],
  [`{"seq":0,"boot":7,"t":[0],"samples":[${ROW}]}`, "boot is 7; a text is expected"],
  [one(ROW, '["2026-01-13T14:30:45Z"]'), 't: entry 0 is the text "2026-01-13T14:30:45Z"; a number is expected'],
  [one(ROW, "[0,1]"), "t has 2 times for 1 samples"],
  [one(`${ROW},${ROW}`, "[1.50,1.0]"), "t decreases at sample 1: 1.0 after 1.50"],
  [
    '{"ts":1,"acc":[0,0,9.8],"gyro":[0,0,0]}',
    "seq is missing; an integer is expected; t is missing; a number (with hz) or one time per sample is expected, " +
      "in epoch milliseconds; samples is missing; an array of rows is expected; " +
      "the message is an object, with the fields ts, acc, gyro",
  ],
  ["[1,2,3]", "the message is an array of 3; an object is expected"],
])("what has another shape is counted and named: %s", (payload, message) => {
  expect(problemOf(payload)).toContain(`invalid-message: `);
  expect(problemOf(payload)).toContain(message);
});

test("names of fields are listed up to a bound, and cut", () => {
  const fields = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`${i}${"n".repeat(100)}`, i]));
  const problem = problemOf(JSON.stringify(fields));
  expect(problem).toContain(`with the fields 0${"n".repeat(39)}…, 1nn`);
  expect(problem).toContain("and 992 more");
  expect(problem.length).toBeLessThan(700);
});

const text = one(ROW);
/** RFC 8949, appendix A: {"a": 1, "b": [2, 3]}; the example of msgpack.org: {"compact": true, "schema": 0}. */
const CBOR = "a26161016162820203";
const MESSAGE_PACK = "82a7636f6d70616374c3a6736368656d6100";

test.each([
  ["gzip", gzipSync(text), "1f 8b 08 00, which is gzip: send it uncompressed"],
  ["Zstandard", zstdCompressSync(text), "28 b5 2f fd, which is Zstandard: send it uncompressed"],
  ["CBOR", Buffer.from(CBOR, "hex"), "a2 61 61 01, which is CBOR: send application/json or application/x-millrace-imu"],
  ["MessagePack", Buffer.from(MESSAGE_PACK, "hex"), "82 a7 63 6f, which is MessagePack: send application/json"],
  ["UTF-16", Buffer.from(text, "utf16le"), "7b 00 22 00, which is UTF-16: send UTF-8"],
  ["a byte order mark", Buffer.from(`\ufeff${text}`), "ef bb bf 7b, which is a byte order mark: leave it out"],
  ["XML", Buffer.from("<imu/>"), "3c 69 6d 75, which is XML: send application/json"],
  [
    "the packed form",
    pack({ seq: 0, t: [0], samples: [[0, 0, 0, 0, 0, 0]] }),
    "4d 49 01 01, which is a packed IMU message: give it the content type application/x-millrace-imu",
  ],
  ["other bytes", Buffer.from("22c3282200", "hex"), "22 c3 28 22, and some of its bytes are no UTF-8"],
])("what is no JSON is recognised by its first bytes: %s", (_, payload, message) => {
  expect(problemOf(payload)).toBe(
    `invalid-json: the payload of ${payload.length} bytes is not JSON in UTF-8: it begins with ${message}` +
      (message.endsWith("send application/json") ? " or application/x-millrace-imu" : ""),
  );
});

test("broken JSON is quoted where it breaks, and an empty payload is called so", () => {
  expect(problemOf('{"seq":0,}')).toMatch(/^invalid-json: the payload of 10 bytes is not JSON in UTF-8: .*position 9/);
  expect(problemOf("")).toBe("invalid-json: the payload is empty");
});

test("what is no packed message is recognised by its first bytes", () => {
  const begins = "invalid-packed: not a packed IMU message: it begins with";
  const json = "which is JSON: give it the content type application/json";
  expect(problemOf(text, packedHeaders)).toBe(`${begins} 7b 22 73 65, ${json}`);
  expect(problemOf(gzipSync(text), packedHeaders)).toBe(`${begins} 1f 8b 08 00, which is gzip: send it uncompressed`);
  expect(problemOf(Buffer.alloc(20), packedHeaders)).toBe(`${begins} 00 00 00 00, not with 4d 49 ("MI")`);
});

test("a content type that is long is cut", () => {
  const problem = problemOf(text, { "content-type": "x".repeat(1_000) });
  expect(problem).toMatch(/^unknown-content-type: content-type is the text "x{40}…"; use application\/json or/);
});
