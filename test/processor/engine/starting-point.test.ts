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
