import { describe, expect, test } from "@jest/globals";
import { progressRecord } from "../../../domain/records.ts";
import { decodeProgress, encodeProgress } from "../../../processor/adapters/progress-record.ts";
import type { Progress } from "../../../processor/engine/ports.ts";

const progress: Progress = { nextOffset: 42, origin: 7, fingerprint: "5f0a", chain: "3-0a1b2c3d", failed: [] };
const written = '{"nextOffset":42,"origin":7,"fingerprint":"5f0a","chain":"3-0a1b2c3d"}';
const withFailures: Progress = { ...progress, failed: [{ offset: 9, key: null, message: "the decoder broke" }] };
const withFailedKey: Progress = {
  ...progress,
  failed: [...withFailures.failed, { offset: 9, key: "s1", message: "the sum broke" }],
};
const writtenWithFailures =
  '{"nextOffset":42,"origin":7,"fingerprint":"5f0a","chain":"3-0a1b2c3d","failed":[[9,"the decoder broke"]]}';

describe("a progress record", () => {
  test.each([
    ["without failed records", progress, written],
    ["with failed records", withFailures, writtenWithFailures],
    ["with a failed key", withFailedKey, writtenWithFailures.replace("]]", '],[9,"the sum broke","s1"]]')],
  ])("%s is written so that its schema takes it, and read back as it was", (_which, given, bytes) => {
    expect(encodeProgress(given)).toBe(bytes);
    expect(progressRecord.strict().safeParse(JSON.parse(bytes)).success).toBe(true);
    expect(decodeProgress(bytes)).toEqual(given);
  });

  test.each(["nextOffset", "origin", "fingerprint", "chain"])("without %s is refused", (field) => {
    const incomplete = { ...(JSON.parse(written) as object), [field]: undefined };
    expect(() => decodeProgress(JSON.stringify(incomplete))).toThrow(field);
  });

  test("of an offset below 0, or of a part of one, is refused", () => {
    for (const nextOffset of [-1, 0.5])
      expect(() => decodeProgress(JSON.stringify({ ...progress, nextOffset }))).toThrow("nextOffset");
  });
});
