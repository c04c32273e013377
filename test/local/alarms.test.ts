import { describe, expect, test } from "@jest/globals";
import type { AlarmSpec, Figure } from "../../domain/alarm-spec.ts";
import { alarms } from "../../domain/alarms.ts";
import { AlarmBoard, type AlarmState } from "../../local/alarms.ts";
import type { MetricsSnapshot } from "../../local/counter-totals.ts";

const START = 1_700_000_000_000;
const SECOND = 1_000;

function spec(figure: Figure, more: Partial<AlarmSpec> = {}): AlarmSpec {
  return {
    name: "a",
    severity: "HIGH",
    means: "",
    affects: "",
    comparison: ">",
    threshold: 10,
    unit: "",
    periodMs: 10 * SECOND,
    periods: 1,
    missing: "fine",
    runbook: "a",
    figure,
    ...more,
  };
}

type Programs = Readonly<Record<string, MetricsSnapshot>>;

/** The states of the first alarm, second by second, of what the programs report. */
function states(of: AlarmSpec | readonly AlarmSpec[], seconds: readonly Programs[]): AlarmState[] {
  const board = new AlarmBoard([of].flat(), START);
  return seconds.map((programs, second) => {
    board.update(new Map(Object.entries(programs)), START + second * SECOND);
    return board.status()[0]!.state;
  });
}

const growth: Figure = { of: "growth", counters: ["bridge.dropped", "processor.dead-letters"] };
const repeat = (times: number, programs: Programs): Programs[] => Array.from({ length: times }, () => programs);

describe("growth of counters", () => {
  test("is on while the sum of a period is over the threshold, and clears when the period has passed", () => {
    const before = { bridge: { "bridge.dropped": 3 }, processor: { "processor.dead-letters": 100 } };
    const after = { bridge: { "bridge.dropped": 8 }, processor: { "processor.dead-letters": 106 } };
    // 5 and 6 more are 11. They happened between seconds 1 and 2: in the ten seconds up to second 11 they are still.
    expect(states(spec(growth), [...repeat(2, before), ...repeat(11, after)])).toEqual([
      "OK",
      "OK",
      ...Array<AlarmState>(10).fill("ALARM"),
      "OK",
    ]);
  });

  test("counts what a program counts anew after its restart, and nothing for the restart itself", () => {
    const counted = (value: number): Programs => ({ bridge: { "bridge.dropped": value } });
    expect(states(spec(growth), [counted(1_000), counted(0), counted(10), counted(11)])).toEqual([
      "OK",
      "OK",
      "OK",
      "ALARM",
    ]);
  });

  test("that is too little is on after a whole period, not before", () => {
    const ticks = spec({ of: "growth", counters: ["processor.records"] }, { comparison: "<=", threshold: 0 });
    const seen = states(ticks, repeat(12, { processor: { "processor.records": 7 } }));
    expect(seen.slice(0, 10)).toEqual(Array(10).fill("OK"));
    expect(seen.slice(10)).toEqual(["ALARM", "ALARM"]);
  });

  test("is of the pipeline's processor alone", () => {
    const market = spec({ of: "growth", counters: ["processor.dead-letters"] }, { pipeline: "market" });
    const counted = (sensor: number, trades: number): Programs => ({
      processor: { "processor.dead-letters": sensor },
      "processor-market": { "processor.dead-letters": trades },
    });
    expect(states(market, [counted(0, 0), counted(99, 10), counted(99, 11)])).toEqual(["OK", "OK", "ALARM"]);
  });
});

describe("a gauge", () => {
  const lag = (value: number): Programs => ({ processor: { "processor.lag": value } });

  test("of which the maximum counts is on for a period after a single value", () => {
    const figure: Figure = { of: "gauge", gauge: "processor.lag", statistic: "Maximum" };
    expect(states(spec(figure), [lag(0), lag(11), ...repeat(10, lag(0))])).toEqual([
      "OK",
      ...Array<AlarmState>(10).fill("ALARM"),
      "OK",
    ]);
  });

  test("of which the minimum counts is on when it was over the threshold for the whole period", () => {
    const figure: Figure = { of: "gauge", gauge: "processor.lag", statistic: "Minimum" };
    const seen = states(spec(figure), [...repeat(5, lag(11)), lag(0), ...repeat(11, lag(11)), lag(3)]);
    // Before ten seconds have been watched there is no minimum. The 0 of second 5 counts up to second 14.
    expect(seen).toEqual([...Array(10).fill("NO DATA"), ...Array(5).fill("OK"), "ALARM", "ALARM", "OK"]);
  });

  test("is the highest of all programs, and none while none reports it", () => {
    const figure: Figure = { of: "gauge", gauge: "processor.lag", statistic: "Maximum" };
    expect(
      states(spec(figure), [{}, { bridge: {} }, { ...lag(1), "processor-market": { "processor.lag": 11 } }]),
    ).toEqual(["NO DATA", "NO DATA", "ALARM"]);
  });
});

test("a percentile counts while there were new durations in the period", () => {
  const p99 = (count: number, value: number): Programs => ({
    "event-source": { "audit-output.sensor-ingest-to-output": { count, p50: 1, p95: 2, p99: value } },
  });
  const latency = spec({ of: "p99", timing: "audit-output.sensor-ingest-to-output" });
  const seen = states(latency, [p99(5, 99), p99(6, 11), p99(7, 9), ...repeat(11, p99(7, 99))]);
  expect(seen).toEqual(["NO DATA", "ALARM", "OK", ...Array(9).fill("ALARM"), "NO DATA", "NO DATA"]);
});

test("a share is per cent of what came in the period, and none where nothing came", () => {
  const completeness = spec(
    { of: "share", part: "audit-output.sensor-first-readings", whole: "audit-output.sensor-readings" },
    { comparison: "<", threshold: 95, periodMs: 2 * SECOND },
  );
  const counted = (first: number, all: number): Programs => ({
    "event-source": { "audit-output.sensor-first-readings": first, "audit-output.sensor-readings": all },
  });
  // 95 of 100, then 94 of 100.
  expect(
    states(completeness, [counted(0, 0), counted(0, 0), counted(95, 100), counted(95, 100), counted(189, 200)]),
  ).toEqual(["NO DATA", "NO DATA", "OK", "OK", "ALARM"]);
});

test("several periods in a row must breach", () => {
  const figure: Figure = { of: "gauge", gauge: "processor.lag", statistic: "Maximum" };
  const lag = (value: number): Programs => ({ processor: { "processor.lag": value } });
  const patient = spec(figure, { periods: 3, periodMs: 2 * SECOND });
  // Breaches from second 1 on; two more periods have passed at second 5.
  expect(states(patient, [lag(0), ...repeat(6, lag(11))])).toEqual(["OK", "OK", "OK", "OK", "OK", "ALARM", "ALARM"]);
});

test("no value is an alarm where a healthy platform always has one", () => {
  const figure: Figure = { of: "gauge", gauge: "processor.lag", statistic: "Maximum" };
  const seen = states(spec(figure, { missing: "breaching" }), repeat(12, { bridge: {} }));
  expect(seen.slice(9)).toEqual(["NO DATA", "ALARM", "ALARM"]);
});

describe("an outage", () => {
  const outage = spec({ of: "gauge", gauge: "bridge.kafka-silence", statistic: "Maximum" }, { periodMs: 2 * SECOND });
  const lag = spec(
    { of: "gauge", gauge: "processor.lag", statistic: "Maximum" },
    { name: "lag", periodMs: 2 * SECOND, suppressedBy: ["a"] },
  );
  const at = (silence: number, records: number): Map<string, MetricsSnapshot> =>
    new Map([["bridge", { "bridge.kafka-silence": silence, "processor.lag": records }]]);

  test("tells of itself alone, and of what it raised only when that outlasts it", () => {
    const board = new AlarmBoard([lag, outage], START);
    const changed = (second: number, metrics: Map<string, MetricsSnapshot>): string[] =>
      board
        .update(metrics, START + second * SECOND)
        .map(({ spec: { name }, state, suppressedBy }) => `${name} ${state} ${suppressedBy}`);
    expect(changed(0, at(0, 0))).toEqual([]);
    expect(changed(1, at(11, 0))).toEqual(["a ALARM null"]);
    expect(changed(2, at(11, 11))).toEqual([]);
    expect(board.status().map(({ state, suppressedBy }) => [state, suppressedBy])).toEqual([
      ["ALARM", "a"],
      ["ALARM", null],
    ]);
    expect(changed(3, at(0, 11))).toEqual([]);
    expect(changed(4, at(0, 11))).toEqual(["a OK null"]);
    // Five minutes after it was last on, at second 3.
    expect(changed(303, at(0, 11))).toEqual([]);
    expect(changed(304, at(0, 11))).toEqual(["lag ALARM null"]);
    expect(changed(307, at(0, 0))).toEqual(["lag OK null"]);
  });
});

test("keeps the newest twenty changes of an alarm, and since when it is as it is", () => {
  const figure: Figure = { of: "gauge", gauge: "processor.lag", statistic: "Maximum" };
  const board = new AlarmBoard([spec(figure, { periodMs: SECOND })], START);
  for (let second = 0; second < 100; second++)
    board.update(new Map([["processor", { "processor.lag": second % 2 === 0 ? 0 : 11 }]]), START + second * SECOND);
  const { changes, sinceMs, value } = board.status()[0]!;
  expect(changes.length).toBe(20);
  expect(changes.at(-1)).toEqual({ atMs: START + 99 * SECOND, state: "ALARM" });
  expect([sinceMs, value]).toEqual([START + 99 * SECOND, 11]);
});

test("the table's alarms are quiet on a healthy platform that starts", () => {
  const board = new AlarmBoard(alarms, START);
  const healthy = (second: number): Map<string, MetricsSnapshot> =>
    new Map<string, MetricsSnapshot>([
      ["local", { "local.restarts": 0, "local.not-running": second < 20 ? 4 : 0 }],
      ["bridge", { "bridge.kafka-silence": 12 }],
      ["processor", { "processor.records": second * 100, "processor.lag": 5 }],
      ["processor-market", { "processor.records": second * 100, "processor.lag": 5 }],
    ]);
  const changes = Array.from({ length: 600 }, (_, second) => board.update(healthy(second), START + second * SECOND));
  expect(changes.flat().map(({ spec: { name } }) => name)).toEqual([]);
});
