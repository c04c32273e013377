import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { TaskLog } from "./task-log.ts";

const home = mkdtempSync(join(tmpdir(), "millrace-task-log-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));
mkdirSync(join(home, "logs"));

const task = "sensor/imu-data-all/3";
const write = (file: string, ...lines: object[]): void =>
  appendFileSync(join(home, "logs", file), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
const restart = (err: object): object => ({ msg: "task starts again", task, err });

test("restarts are counted by the reason that the failure table has for them, over both processors", () => {
  const log = new TaskLog(home);
  write(
    "processor.log",
    { msg: "task runs", task },
    restart({ type: "MillraceError", code: "outcome-unknown", message: "the commit's answer is lost" }),
    restart({ type: "KafkaJSNonRetriableError", originalError: { type: "KafkaJSProtocolError", code: 48 } }),
    restart({ type: "KafkaJSRequestTimeoutError", message: "Request Fetch(key: 1) timed out" }),
    { ...restart({ type: "KafkaJSRequestTimeoutError", message: "Request Fetch(key: 1) timed out" }), repeated: 3 },
  );
  write("processor-2.log", { msg: "task was fenced", task }, { msg: "task runs", task });
  expect(log.next()).toEqual({
    restarts: { "outcome-unknown": 1, INVALID_TXN_STATE: 1, "no answer": 4 },
    unnamed: [],
    fenced: 1,
    stopped: [],
    lives: 2,
  });
  expect(log.next()).toEqual({ restarts: {}, unnamed: [], fenced: 0, stopped: [], lives: 0 });
});

test("an error of the code itself is no reason, and a task that stopped is named with its code", () => {
  const log = new TaskLog(home);
  log.next();
  write("processor.log", restart({ type: "TypeError", message: "x is not a function" }), {
    msg: "task stopped with a named error",
    task,
    code: "batch-undecodable",
  });
  expect(log.next()).toMatchObject({
    restarts: { unnamed: 1 },
    unnamed: [`${task}: TypeError x is not a function`],
    stopped: [`${task}: batch-undecodable`],
  });
});
