import { expect, test } from "@jest/globals";
import type { MillraceError } from "../../../domain/errors.ts";
import type { Manifest, Progress } from "../../../processor/engine/ports.ts";
import { checkCaughtUp, startingPoint } from "../../../processor/engine/starting-point.ts";

const progress = (nextOffset: number): Progress => ({
  nextOffset,
  origin: 10,
  fingerprint: "f",
  chain: "c",
  failed: [],
});
const manifest = (nextOffset: number): Manifest => ({
  version: 1,
  owner: "o",
  layout: 1,
  covers: { nextOffset, origin: 10, fingerprint: "f", chain: "c" },
  segments: [],
});
const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return (error as MillraceError).code;
  }
  return "none";
};

test("a log that ends before what was processed is another log", () => {
  const start = (latest: number): string =>
    codeOf(() => startingPoint("t", progress(50), manifest(40), { earliest: 0, latest }));
  expect(start(50)).toBe("none");
  expect(start(49)).toBe("input-lost");
});

test("a log that begins behind the state, with or without a snapshot, has lost records", () => {
  const start = (earliest: number, snapshot: Manifest | null): string =>
    codeOf(() => startingPoint("t", progress(50), snapshot, { earliest, latest: 60 }));
  expect([start(40, manifest(40)), start(41, manifest(40))]).toEqual(["none", "input-lost"]);
  expect([start(10, null), start(11, null)]).toEqual(["none", "input-lost"]);
});

test("chain and offset that were reached are those that were committed", () => {
  const reached = (nextOffset: number, chain: string): string =>
    codeOf(() => checkCaughtUp("t", progress(50), { nextOffset, chain, fingerprint: "f" }));
  expect([reached(50, "c"), reached(49, "c"), reached(50, "d")]).toEqual([
    "none",
    "replay-diverged",
    "replay-diverged",
  ]);
});

test("what other code committed and this one does not reproduce, is that code's to catch up", () => {
  const reachedBy = (fingerprint: string, chain: string): string =>
    codeOf(() => checkCaughtUp("t", progress(50), { nextOffset: 50, chain, fingerprint }));
  expect([reachedBy("g", "c"), reachedBy("g", "d")]).toEqual(["none", "committed-by-other-code"]);
  const committed = { ...progress(50), version: "1.4.0" };
  const compare = (): void => checkCaughtUp("t", committed, { nextOffset: 50, chain: "d", fingerprint: "g" });
  expect(compare).toThrow("version 1.4.0 (code f)");
  expect(compare).toThrow("npm run recover -- --catch-up");
});

test("what keeps a task from beginning is said with both offsets, and with the command that helps", () => {
  const messageOf = (work: () => unknown): string => {
    try {
      work();
    } catch (error) {
      return (error as Error).message;
    }
    return "none";
  };
  const log = { earliest: 0, latest: 60 };
  const help = "; see `npm run recover -- --task t`";
  expect(messageOf(() => startingPoint("t", null, manifest(40), log))).toBe(
    `t: a snapshot covers offsets below 40, but there is no progress record${help}`,
  );
  expect(messageOf(() => startingPoint("t", progress(50), manifest(51), log))).toBe(
    `t: the snapshot covers offsets below 51, but only those below 50 were committed${help}`,
  );
  expect(messageOf(() => startingPoint("t", progress(50), manifest(40), { earliest: 41, latest: 60 }))).toBe(
    `t: the log starts at 41, but the task needs offset 40: records were deleted before they were processed${help}`,
  );
  for (const layout of [1, 2])
    expect(startingPoint("t", progress(50), { ...manifest(40), layout }, log)).toMatchObject({ from: 40 });
  expect(messageOf(() => startingPoint("t", progress(50), { ...manifest(40), layout: 3 }, log))).toBe(
    `t: the snapshot has layout 3, this version reads layouts 1 to 2${help}`,
  );
});
