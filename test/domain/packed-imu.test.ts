import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import type { ImuMessage } from "../../domain/imu-message.ts";
import {
  decodePackedImu,
  encodePackedImu,
  newPackedImuHeader,
  packedImu,
  readPackedImuHeader,
} from "../../domain/packed-imu.ts";

/** The golden vectors of docs/packed-format.md: bytes made by Python's struct module. */
function goldenVectors(): { message: ImuMessage; bytes: Buffer }[] {
  const doc = readFileSync(new URL("../../docs/packed-format.md", import.meta.url), "utf8");
  return [...doc.matchAll(/```json\n([^`]+)```\n```hex\n([^`]+)```/g)].map(([, json, hex]) => ({
    message: JSON.parse(json!) as ImuMessage,
    bytes: Buffer.from(hex!.replaceAll(/\s/g, ""), "hex"),
  }));
}

// python3 -c "import struct; print(struct.unpack('<6f', struct.pack('<6f', 0.1, 0.2, 9.80665, -0.3, 0.4, -0.5)))"
const ROUNDED = [
  0.10000000149011612, 0.20000000298023224, 9.806650161743164, -0.30000001192092896, 0.4000000059604645, -0.5,
];

// python3 -c "import struct
// print((struct.pack('<2sBBHBBd2s6x', b'MI', 1, 3, 2, 2, 0, 17, b'a1')
//   + struct.pack('<2d', 1657533977813, 1657533977823)
//   + struct.pack('<12f', .5, -320, -1.25, 320, 9.75, 0, .125, 70, -.0625, -70, .03125, 0)).hex())"
const BY_PYTHON =
  "4d490103020002000000000000003140613100000000000000504d95cb1e784200f04d95cb1e7842" +
  "0000003f0000a0c30000a0bf0000a04300001c41000000000000003e00008c42000080bd00008cc20000003d00000000";

function problemOf(bytes: Uint8Array): string {
  const result = decodePackedImu(bytes);
  return "code" in result ? `${result.code}: ${result.message}` : "no problem";
}

function changed(at: number, value: number): Uint8Array {
  const bytes = Buffer.from(BY_PYTHON, "hex");
  bytes[at] = value;
  return bytes;
}

describe("the packed IMU form", () => {
  const vectors = goldenVectors();

  test("has three golden vectors in the docs, and the first is the one that Python made", () => {
    expect(vectors).toHaveLength(3);
    expect(vectors[0]!.bytes.toString("hex")).toBe(BY_PYTHON);
  });

  test.each(vectors.map(({ message, bytes }) => [message.seq, message, bytes] as const))(
    "encodes golden vector seq %d to its bytes",
    (_, message, bytes) => {
      expect(Buffer.from(encodePackedImu(message)).toString("hex")).toBe(bytes.toString("hex"));
    },
  );

  test("decodes the golden vectors to their messages, readings rounded to f32", () => {
    expect(decodePackedImu(vectors[0]!.bytes)).toEqual(vectors[0]!.message);
    expect(decodePackedImu(vectors[1]!.bytes)).toEqual({ ...vectors[1]!.message, samples: [ROUNDED] });
    expect(decodePackedImu(vectors[2]!.bytes)).toEqual(vectors[2]!.message);
  });

  test("is read in place, at an odd offset of a larger buffer", () => {
    const buffer = Buffer.concat([Buffer.alloc(3), vectors[0]!.bytes, Buffer.alloc(5)]);
    expect(decodePackedImu(buffer.subarray(3, 3 + vectors[0]!.bytes.length))).toEqual(vectors[0]!.message);
  });

  test("distinguishes an empty boot from no boot", () => {
    const message: ImuMessage = { seq: 1, boot: "", t: 5, hz: 1, samples: [[0, 0, 0, 0, 0, 0]] };
    expect(decodePackedImu(encodePackedImu(message))).toEqual(message);
  });

  test("reports every layout error", () => {
    expect(problemOf(Buffer.from("4d49", "hex"))).toMatch(/^invalid-packed: .*2 bytes are fewer than the 16/);
    expect(problemOf(changed(0, 0x7b))).toMatch(/^invalid-packed: .*begins with 7b 49/);
    expect(problemOf(changed(2, 2))).toMatch(/^invalid-packed: .*version is 2/);
    expect(problemOf(changed(3, 7))).toMatch(/^invalid-packed: .*flags are 07/);
    expect(problemOf(changed(7, 1))).toMatch(/^invalid-packed: .*reserved byte is 01/);
    expect(problemOf(changed(3, 1))).toMatch(/^invalid-packed: .*boot has 2 bytes/);
    expect(problemOf(changed(20, 1))).toMatch(/^invalid-packed: .*padding at byte 20 is 01/);
    expect(problemOf(changed(16, 0xff))).toMatch(/^invalid-packed: .*boot is not UTF-8/);
    expect(problemOf(Buffer.from(`${BY_PYTHON}00`, "hex"))).toMatch(/^invalid-packed: .*take 88 bytes; it has 89/);
    expect(problemOf(Buffer.from(BY_PYTHON.slice(0, -2), "hex"))).toMatch(
      /^invalid-packed: .*take 88 bytes; it has 87/,
    );
  });

  test("refuses zero samples and more than 1,000 with the codes of the JSON form", () => {
    expect(problemOf(changed(4, 0))).toMatch(/^invalid-message: /);
    const many = Buffer.from(BY_PYTHON, "hex");
    many.writeUInt16LE(1_001, 4);
    expect(problemOf(many)).toMatch(/^too-many-samples: .*1001/);
  });

  test("refuses to encode what the layout can't hold", () => {
    const sample = [0, 0, 0, 0, 0, 0] as const;
    expect(() => encodePackedImu({ seq: 0, t: 0, hz: 1, samples: [] })).toThrow(RangeError);
    expect(() => encodePackedImu({ seq: 0, t: [0, 1], samples: [sample] })).toThrow(RangeError);
    expect(() => encodePackedImu({ seq: 0, t: 0, samples: [sample] })).toThrow(RangeError);
    expect(() => encodePackedImu({ seq: 0, boot: "𝄞".repeat(64), t: 0, hz: 1, samples: [sample] })).toThrow(
      /256 bytes/,
    );
  });

  test("gives a message or a problem for any bytes, never an exception", () => {
    const original = Buffer.from(BY_PYTHON, "hex");
    for (let at = 0; at < original.length; at++)
      for (const value of [0, 1, 0x7f, 0xff]) expect(() => decodePackedImu(changed(at, value))).not.toThrow();
    for (let size = 0; size < original.length; size++)
      expect(problemOf(original.subarray(0, size))).toMatch(/^invalid-packed/);
  });

  test("has the offsets of the layout table in the docs", () => {
    const doc = readFileSync(new URL("../../docs/packed-format.md", import.meta.url), "utf8");
    const offsets = [...doc.matchAll(/^\| (\d+) \| [^|]+ \| ([^|]+) \|/gm)].map(([, at, name]) => [
      name!.trim().replace("boot length", "bootLength"),
      Number(at),
    ]);
    expect(Object.fromEntries(offsets)).toEqual(packedImu.offsets);
  });

  test("leaves the ranges of the header to the caller", () => {
    const bytes = Buffer.from(BY_PYTHON, "hex");
    bytes.writeDoubleLE(-1.5, 8);
    const header = newPackedImuHeader();
    expect(readPackedImuHeader(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), header)).toBeNull();
    expect(header).toEqual({ count: 2, seq: -1.5, bootLength: 2, timePerSample: true, timesAt: 24, columnsAt: 40 });
  });
});
