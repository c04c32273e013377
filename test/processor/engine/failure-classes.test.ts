import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { MillraceError } from "../../../domain/errors.ts";
import {
  failureClass,
  kafkaFailureOf,
  kafkaFailures,
  type FailureClass,
} from "../../../processor/engine/failure-classes.ts";

const load = createRequire(import.meta.url);
const { errorCodes, createErrorFromCode } = load("kafkajs/src/protocol/error.js") as {
  readonly errorCodes: readonly { readonly type: string; readonly code: number }[];
  readonly createErrorFromCode: (code: number) => Error;
};

/** Codes that only answer requests of an administrator, a broker or a holder of delegation tokens. */
const NEVER_OURS = new Set([
  ...[11, 36, 37, 38, 39, 40, 41, 57, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 73, 77, 83, 84, 85, 86],
]);

test("the table has every code of kafkajs that a producer, a transaction, a reader or a member can get", () => {
  const missing = errorCodes.filter(({ code }) => !kafkaFailures.has(code) && !NEVER_OURS.has(code));
  expect(missing).toEqual([]);
});

test("codes have the names of Kafka's protocol guide", () => {
  // kafkajs knows the codes up to 88, some by an older name.
  const guide = {
    "-1": "UNKNOWN_SERVER_ERROR",
    6: "NOT_LEADER_OR_FOLLOWER",
    14: "COORDINATOR_LOAD_IN_PROGRESS",
    15: "COORDINATOR_NOT_AVAILABLE",
    16: "NOT_COORDINATOR",
    89: "THROTTLING_QUOTA_EXCEEDED",
    90: "PRODUCER_FENCED",
    100: "UNKNOWN_TOPIC_ID",
    103: "INCONSISTENT_TOPIC_ID",
    106: "FETCH_SESSION_TOPIC_ID_ERROR",
    109: "OFFSET_MOVED_TO_TIERED_STORAGE",
    110: "FENCED_MEMBER_EPOCH",
    113: "STALE_MEMBER_EPOCH",
    120: "TRANSACTION_ABORTABLE",
  };
  const named = Object.fromEntries(errorCodes.map(({ code, type }) => [code, type]));
  const names: Readonly<Record<string, string>> = { ...named, ...guide };
  for (const [code, { name }] of kafkaFailures) expect([code, name]).toEqual([code, names[code]]);
});

test("codes have the classes that the design names", () => {
  const classes: Record<FailureClass, readonly number[]> = {
    transient: [5, 6, 7, 14, 15, 16, 19, 20, 51],
    uncertain: [45, 48, 49, 59],
    fenced: [47, 90],
    record: [],
    partition: [3, 10, 18, 29, 30, 35, 50, 53, 87],
  };
  for (const [name, codes] of Object.entries(classes))
    for (const code of codes) expect([code, kafkaFailures.get(code)?.class]).toEqual([code, name]);
  const waits = [...kafkaFailures].filter(([, { afterMs }]) => afterMs === 60_000).map(([code]) => code);
  expect(waits).toEqual(expect.arrayContaining([3, 29, 30, 53]));
  expect(waits).not.toEqual(expect.arrayContaining([10]));
});

test("the class of an answer is found behind what kafkajs wraps it in, and for codes that it does not know", () => {
  const refused = createErrorFromCode(10);
  expect(kafkaFailureOf(new Error("retries exceeded", { cause: refused }))).toMatchObject({
    name: "MESSAGE_TOO_LARGE",
  });
  expect(kafkaFailureOf(Object.assign(new Error("x"), { originalError: refused }))?.class).toBe("partition");
  expect(kafkaFailureOf(createErrorFromCode(90))).toEqual({ name: "PRODUCER_FENCED", class: "fenced" });
  expect(kafkaFailureOf(createErrorFromCode(4_711))).toEqual({ name: "error code 4711", class: "uncertain" });
  expect(kafkaFailureOf(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }))).toBeNull();
  const unknown = Object.assign(new Error("no number"), { type: "UNKNOWN", code: -99 });
  expect(kafkaFailureOf(unknown)).toEqual({ name: "UNKNOWN_SERVER_ERROR", class: "uncertain" });
  expect(kafkaFailureOf(Object.assign(new Error("of another library"), { code: 5 }))).toBeNull();
});

test("only a named error is certain: everything else that ends a life is uncertain", () => {
  expect(failureClass(new Error("connection lost"))).toBe("uncertain");
  expect(failureClass(new MillraceError("outcome-unknown", "x"))).toBe("uncertain");
  expect(failureClass(new MillraceError("fenced", "x"))).toBe("fenced");
  for (const code of ["input-lost", "output-refused", "step-kills-process", "step-failed-again"] as const)
    expect(failureClass(new MillraceError(code, "x"))).toBe("partition");
});

test("docs/exactly-once.md lists the codes of each class", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/exactly-once.md"), "utf8");
  const rows = [
    ...page.matchAll(/^\| (transient|uncertain|fenced|partition|partition, after 60 s) \| codes (.*) \|$/gm),
  ];
  const documented = Object.fromEntries(rows.map(([, name, codes]) => [name, codes!.split(", ").map(Number)]));
  const expected: Record<string, number[]> = {};
  for (const [code, failure] of kafkaFailures) {
    const name = failure.afterMs === undefined ? failure.class : `${failure.class}, after ${failure.afterMs / 1_000} s`;
    (expected[name] ??= []).push(code);
  }
  expect(documented).toEqual(expected);
});
