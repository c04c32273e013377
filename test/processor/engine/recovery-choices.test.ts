import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import type { MillraceError } from "../../../domain/errors.ts";
import type { LogBounds, Manifest, Progress } from "../../../processor/engine/ports.ts";
import {
  choicesFor,
  type RecoveryChoice,
  recoveryChoices,
  type RecoveryPlan,
  recoveryPlan,
} from "../../../processor/engine/recovery-choices.ts";

type Choice = Exclude<RecoveryChoice, "try-again">;

interface Situation {
  readonly choice: Choice;
  /** Next offset that was committed; null without a progress record. The state began at 10. */
  readonly committed?: number | null;
  /** Next offset of the snapshot; null without one. */
  readonly snapshot?: number | null;
  readonly log?: LogBounds;
}

/** 50 was committed, the snapshot is at 40, and the log has [10, 90). */
function plan({ choice, committed = 50, snapshot = 40, log = { earliest: 10, latest: 90 } }: Situation): RecoveryPlan {
  const at = (nextOffset: number) => ({ nextOffset, origin: 10, fingerprint: "f", chain: "c" });
  const progress: Progress | null = committed === null ? null : { ...at(committed), failed: [] };
  const manifest: Manifest = {
    version: 3,
    owner: "o",
    layout: 1,
    covers: snapshot === null ? null : at(snapshot),
    segments: [],
  };
  return recoveryPlan(choice, "count/in/0", progress, manifest, log);
}

const taken: readonly [string, Situation, RecoveryPlan][] = [
  ["from the snapshot", { choice: "accept-new-code" }, { keep: true, from: 40, until: 50 }],
  ["from the state's origin", { choice: "accept-new-code", snapshot: null }, { keep: true, from: 10, until: 50 }],
  ["at what was committed", { choice: "accept-new-code", snapshot: 50 }, { keep: true, from: 50, until: 50 }],
  [
    "over exactly what the log has",
    { choice: "accept-new-code", log: { earliest: 40, latest: 50 } },
    { keep: true, from: 40, until: 50 },
  ],
  ["from the log's start", { choice: "rebuild" }, { keep: false, from: 10, until: 50 }],
  [
    "up to the log's end",
    { choice: "rebuild", log: { earliest: 10, latest: 50 } },
    { keep: false, from: 10, until: 50 },
  ],
  [
    "behind what was committed, in a log that starts later",
    { choice: "rebuild", log: { earliest: 60, latest: 90 } },
    { keep: false, from: 60, until: 60 },
  ],
  [
    "from the log's first record",
    { choice: "skip-lost", log: { earliest: 45, latest: 50 } },
    { keep: true, from: 45, until: 50 },
  ],
  [
    "behind what was committed, in a log that starts later",
    { choice: "skip-lost", log: { earliest: 60, latest: 90 } },
    { keep: true, from: 60, until: 60 },
  ],
  ["from the snapshot where the log has it", { choice: "skip-lost" }, { keep: true, from: 40, until: 50 }],
  ["without a snapshot", { choice: "skip-lost", snapshot: null }, { keep: true, from: 10, until: 50 }],
  ["from the snapshot", { choice: "trust-snapshot", committed: null }, { keep: true, from: 40, until: 40 }],
  [
    "at the log's start",
    { choice: "trust-snapshot", log: { earliest: 40, latest: 90 } },
    { keep: true, from: 40, until: 40 },
  ],
  [
    "at the log's end",
    { choice: "trust-snapshot", log: { earliest: 10, latest: 40 } },
    { keep: true, from: 40, until: 40 },
  ],
  ["at the log's start", { choice: "start-over" }, { keep: false, from: 10, until: 10 }],
  [
    "in a log that ends where it was processed",
    { choice: "start-over", log: { earliest: 10, latest: 50 } },
    { keep: false, from: 10, until: 10 },
  ],
  ["with nothing", { choice: "start-over", committed: null, snapshot: null }, { keep: false, from: 10, until: 10 }],
];

const refused: readonly [string, Situation, string][] = [
  ["no progress", { choice: "accept-new-code", committed: null }, "a progress record, and there is none"],
  [
    "a snapshot ahead of it",
    { choice: "accept-new-code", snapshot: 51 },
    "a snapshot that is not ahead of what was committed (50); it is at 51",
  ],
  [
    "a log that starts behind the snapshot",
    { choice: "accept-new-code", log: { earliest: 41, latest: 90 } },
    "a log from 40 to 50; the log starts at 41 and ends at 90",
  ],
  [
    "a log that ends before it",
    { choice: "accept-new-code", log: { earliest: 10, latest: 49 } },
    "a log from 40 to 50; the log starts at 10 and ends at 49",
  ],
  ["no progress", { choice: "rebuild", committed: null }, "a progress record, and there is none"],
  [
    "a log that ends before it",
    { choice: "rebuild", log: { earliest: 10, latest: 49 } },
    "a log up to 50; the log starts at 10 and ends at 49",
  ],
  ["no progress", { choice: "skip-lost", committed: null }, "a progress record, and there is none"],
  [
    "another log",
    { choice: "skip-lost", log: { earliest: 10, latest: 49 } },
    "a log up to 50, which was processed; the log starts at 10 and ends at 49, so it is another log: " +
      "start the processors with LOG_GENERATION one higher",
  ],
  ["no snapshot", { choice: "trust-snapshot", snapshot: null }, "a snapshot, and there is none"],
  [
    "a log that starts behind it",
    { choice: "trust-snapshot", log: { earliest: 41, latest: 90 } },
    "a log with offset 40; the log starts at 41 and ends at 90",
  ],
  [
    "a log that ends before it",
    { choice: "trust-snapshot", log: { earliest: 10, latest: 39 } },
    "a log with offset 40; the log starts at 10 and ends at 39",
  ],
  [
    "another log",
    { choice: "start-over", log: { earliest: 10, latest: 49 } },
    "the log that was processed up to 50; the log starts at 10 and ends at 49, so it is another log, whose outputs " +
      "would have ids that were given before: start the processors with LOG_GENERATION one higher",
  ],
];

/** What each choice promises in its text: what it keeps, what it runs, and what is written again. */
const promises: Record<RecoveryChoice, readonly RegExp[]> = {
  "try-again": [/stopped the task is repaired/, /Changes nothing\.$/],
  "accept-new-code": [/^Load the snapshot/, /Nothing is written twice/],
  rebuild: [/^Forget the snapshot, run the whole log again/, /Nothing is written twice/],
  "skip-lost": [/^Accept that the deleted records are lost/, /Nothing is written twice/],
  "trust-snapshot": [/^Take the snapshot/, /written again, with the same ids\.$/],
  "start-over": [/^Forget snapshot and progress/, /written again, with the same ids\.$/],
};

test("the texts of the choices say what happens to state and outputs, and docs/exactly-once.md lists them", () => {
  expect(Object.keys(recoveryChoices)).toEqual(Object.keys(promises));
  for (const [choice, patterns] of Object.entries(promises))
    for (const pattern of patterns) expect(recoveryChoices[choice as RecoveryChoice]).toMatch(pattern);
  const page = readFileSync(join(import.meta.dirname, "../../../docs/exactly-once.md"), "utf8");
  const [, table] = page.split("## When a task has stopped");
  const documented = [...table!.split("\n### ")[0]!.matchAll(/^\| `(.+?)` \|/gm)].map(([, name]) => name);
  expect(documented).toEqual(Object.keys(promises));
});

test("an error that stops a task has the choices that help with it, the one that loses least first", () => {
  expect(choicesFor).toEqual({
    "output-refused": ["try-again"],
    "model-refused": ["try-again", "accept-new-code", "rebuild"],
    "step-kills-process": ["try-again"],
    "replay-diverged": ["accept-new-code", "rebuild"],
    "committed-by-other-code": ["accept-new-code", "rebuild"],
    "input-lost": ["skip-lost", "start-over"],
    "progress-missing": ["trust-snapshot", "start-over"],
    "snapshot-ahead": ["rebuild", "trust-snapshot"],
    "snapshot-corrupt": ["rebuild", "start-over"],
    "settings-unknown": ["accept-new-code", "start-over"],
    "state-layout-unknown": ["rebuild", "start-over"],
  });
});

describe("a recovery", () => {
  test.each(taken.map(([how, situation, expected]) => ({ how, situation, expected, choice: situation.choice })))(
    "$choice continues $how",
    ({ situation, expected }) => expect(plan(situation)).toEqual(expected),
  );

  test.each(refused.map(([why, situation, expected]) => ({ why, situation, expected, choice: situation.choice })))(
    "$choice is refused: $why",
    ({ situation, expected }) => {
      let error: MillraceError | undefined;
      try {
        plan(situation);
      } catch (thrown) {
        error = thrown as MillraceError;
      }
      expect([error?.code, error?.message]).toEqual([
        "arguments-invalid",
        `count/in/0: --choice ${situation.choice} needs ${expected}`,
      ]);
    },
  );
});
