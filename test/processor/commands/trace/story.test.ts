import { expect, test } from "@jest/globals";
import type { Output } from "../../../../processor/commands/trace/outputs.ts";
import { relationOf } from "../../../../processor/commands/trace/outputs.ts";
import { judge, type Arrival } from "../../../../processor/commands/trace/story.ts";
import { subjectOf } from "../../../../processor/commands/trace/subject.ts";

const json = { "content-type": "application/json" };
const bytes = (value: object): Buffer => Buffer.from(JSON.stringify(value));
const reading = (seq: number, boot?: string) =>
  subjectOf("sensor", {
    key: Buffer.from("s1"),
    value: bytes({
      seq,
      ...(boot === undefined ? {} : { boot }),
      t: [1_000, 1_400],
      samples: [
        [0, 0, 9, 0, 0, 0],
        [0, 0, 9, 0, 0, 0],
      ],
    }),
    headers: json,
  });

function arrival(offset: number, given: Partial<Arrival> = {}): Arrival {
  return {
    place: `imu-data-all/0/${offset}`,
    offset,
    subject: reading(17, "a1"),
    appendedAt: 5_000 + offset,
    ingestMs: null,
    traceparent: null,
    reinjectedFrom: null,
    bytes: 100,
    letters: [],
    outputs: [],
    ...given,
  };
}

const output = (topic: Output["topic"], role: Output["role"] = "holds"): Output => ({
  topic,
  place: `${topic}/0/0`,
  id: "imu-data-all/0/5/0",
  at: 6_000,
  role,
  what: `a ${topic}`,
});

const letter = (code: string): Arrival["letters"][number] => ({
  place: "dead-letter/0/3",
  id: "imu-data-all/0/5/0",
  at: 6_000,
  code,
  message: "why",
  stage: "processor",
  sensorId: "s1",
  symbol: null,
  source: { topic: "imu-data-all", partition: 0, offset: 5 },
  mqttTopic: null,
  contentType: null,
  traceparent: null,
});

const verdicts = (arrivals: readonly Arrival[], committed: number | null = 100): string[] =>
  judge(arrivals, committed, 0).map(({ verdict }) => verdict);

test("a message that is in an output of its own is accepted", () => {
  expect(verdicts([arrival(5, { outputs: [output("aggregated"), output("transformed")] })])).toEqual(["accepted"]);
});

test("a record behind what its task has committed waits", () => {
  expect(verdicts([arrival(5)], 5)).toEqual(["waiting"]);
  expect(verdicts([arrival(5)], null)).toEqual(["waiting"]);
  expect(verdicts([arrival(5, { outputs: [output("transformed")] })], 6)).toEqual(["accepted"]);
});

test("a letter about the record refuses it; one about an output or another sensor's state does not", () => {
  expect(judge([arrival(5, { letters: [letter("out-of-range")] })], 100, 0)[0]).toMatchObject({
    verdict: "dead-lettered",
    why: "out-of-range: why",
  });
  const outputs = [output("transformed")];
  expect(verdicts([arrival(5, { outputs, letters: [letter("output-too-large")] })])).toEqual(["accepted"]);
  expect(verdicts([arrival(5, { outputs, letters: [letter("state-failed")] })])).toEqual(["accepted"]);
});

test("a second arrival is a duplicate, unless the first was dead-lettered", () => {
  const outputs = [output("transformed")];
  expect(verdicts([arrival(5, { outputs }), arrival(8, { outputs })])).toEqual(["accepted", "duplicate"]);
  expect(verdicts([arrival(5, { letters: [letter("event-too-old")] }), arrival(8, { outputs })])).toEqual([
    "dead-lettered",
    "accepted",
  ]);
  const otherBoot = arrival(8, { outputs, subject: reading(17, "a2") });
  expect(verdicts([arrival(5, { outputs }), otherBoot])).toEqual(["accepted", "accepted"]);
});

test("a message with a late record is late, for those windows", () => {
  expect(judge([arrival(5, { outputs: [output("late"), output("transformed")] })], 100, 0)[0]).toMatchObject({
    verdict: "late",
    why: "it came too late: it was a late",
  });
});

test("a message that no output names alone is processed, and the story says what that can mean", () => {
  const [story] = judge([arrival(5, { outputs: [output("aggregated"), output("aggregated", "caused")] })], 100, 0);
  expect(story!.verdict).toBe("processed");
  expect(story!.why).toContain("it waits for the messages before it, or it is a copy of one that arrived before 1970");
});

test.each([
  ["aggregated", { window: { start: 1_400, end: 1_500 }, operator: "tumbling-100" }, "holds"],
  ["aggregated", { window: { start: 0, end: 1_000 }, operator: "tumbling-1000" }, null],
  ["aggregated", { window: { start: 1_401, end: 1_500 }, operator: "tumbling-99" }, null],
  ["transformed", { seq: 17, boot: "a1" }, "holds"],
  ["transformed", { seq: 17 }, null],
  ["sessions", { type: "ended", start: 400, end: 1_000, sessionId: "s1@400", samples: 3 }, "holds"],
  ["sessions", { type: "ended", start: 400, end: 999, sessionId: "s1@400", samples: 3 }, null],
  ["sessions", { type: "started", start: 400, sessionId: "s1@400" }, "holds"],
  ["sessions", { type: "started", start: 1_401, sessionId: "s1@1401" }, null],
  ["late", { window: { start: 1_000, end: 2_000 }, operator: "window" }, null],
] as const)("%s %j: its readings are in it, or not", (topic, fields, role) => {
  const source = { key: Buffer.from("s1"), value: bytes({ id: "imu-data-all/0/9/0", ...fields }), headers: json };
  expect(relationOf(topic, source, reading(17, "a1"), false)?.role ?? null).toBe(role);
});

test("a trade's outputs: its own, the bars of its time and the alerts about it", () => {
  const value = bytes({ trade_id: "T1", timestamp: 60_500, symbol: "AAPL", price: 2, quantity: 3 });
  const trade = subjectOf("market", { key: Buffer.from("AAPL"), value, headers: json });
  const roleOf = (topic: Output["topic"], fields: object, own: boolean): string | null => {
    const source = { key: Buffer.from("AAPL"), value: bytes({ id: "market-trades/0/9/0", ...fields }), headers: json };
    return relationOf(topic, source, trade, own)?.role ?? null;
  };
  expect(trade.identity).toEqual({ key: "AAPL", seq: null, boot: null, tradeId: "T1" });
  expect(roleOf("marketEnriched", { trade_id: "T1" }, true)).toBe("holds");
  expect(roleOf("marketEnriched", { trade_id: "T1" }, false)).toBeNull();
  expect(roleOf("marketAggregated", { window: { start: 60_000, end: 120_000 } }, false)).toBe("holds");
  expect(roleOf("marketAggregated", { window: { start: 0, end: 60_000 } }, true)).toBe("caused");
  expect(roleOf("marketAlerts", { trade: { trade_id: "T1" }, rule: "r" }, false)).toBe("holds");
  expect(roleOf("marketAlerts", { trade: { trade_id: "T2" }, rule: "r" }, false)).toBeNull();
});

test("a payload that can't be decoded still says its number", () => {
  const value = bytes({ seq: 17, boot: "a1", t: 1, samples: "none" });
  expect(subjectOf("sensor", { key: Buffer.from("s1"), value, headers: json })).toEqual({
    identity: { key: "s1", seq: 17, boot: "a1", tradeId: null },
    times: null,
    readings: 0,
  });
});
