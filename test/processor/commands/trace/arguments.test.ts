import { expect, test } from "@jest/globals";
import { parseTraceArguments } from "../../../../processor/commands/trace/arguments.ts";

const wanted = (line: string) => parseTraceArguments(line.split(" ")).wanted;
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

test.each([
  ["--sensor s1 --seq 17", { kind: "message", sensor: "s1", seq: 17, boot: null }],
  ["--sensor s1 --seq 17 --boot a1", { kind: "message", sensor: "s1", seq: 17, boot: "a1" }],
  ["--symbol AAPL --trade T1", { kind: "trade", symbol: "AAPL", tradeId: "T1" }],
  ["imu-data-all/3/1234", { kind: "record", topic: "imu-data-all", partition: 3, offset: 1234 }],
  ["imu-data-all~2/3/1234/0", { kind: "record", topic: "imu-data-all~2", partition: 3, offset: 1234 }],
  ["dead-letter/3/17", { kind: "record", topic: "dead-letter", partition: 3, offset: 17 }],
  ["s01-sw@1657533977813.5", { kind: "session", sessionId: "s01-sw@1657533977813.5" }],
  [TRACE, { kind: "trace", traceId: TRACE, key: undefined }],
  [`00-${TRACE}-00f067aa0ba902b7-01 --sensor s1`, { kind: "trace", traceId: TRACE, key: "s1" }],
])("%s", (line, expected) => {
  expect(wanted(line)).toEqual(expected);
});

test.each([
  "--sensor s1",
  "--seq 1",
  "--symbol A --seq 1",
  "x",
  "s1@",
  "s1@1 --sensor s1",
  "a/b/c",
  "a/1/2/3/4",
  "imu-data-all/1/2 --seq 4",
  "a b",
])("%s names nothing that can be traced", (line) => {
  expect(() => wanted(line)).toThrow(
    "one of --sensor with --seq, --symbol with --trade, a record, a session and a trace is expected",
  );
});
