import { createHash } from "node:crypto";
import { expect, test } from "@jest/globals";
import { continueSha256, finishSha256, SHA256_START } from "../../../processor/adapters/sha256-state.ts";

test("a hash that is written down and continued is node's", () => {
  const bytes = Buffer.from(Array.from({ length: 1_000 }, (_, i) => (i * 7_919) % 256));
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 128, 1_000]) {
    for (const blocks of [0, 1, 3].filter((count) => count * 64 <= length)) {
      const state = continueSha256(SHA256_START, bytes.subarray(0, blocks * 64));
      const expected = createHash("sha256").update(bytes.subarray(0, length)).digest("hex");
      expect([length, finishSha256(state, bytes.subarray(blocks * 64, length))]).toEqual([length, expected]);
    }
  }
});
