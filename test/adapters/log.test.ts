import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { logLines, type LogLine } from "../support/log-lines.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const RUN = `
import { createLogger } from "${ROOT}/adapters/log.ts";
import { Metrics } from "${ROOT}/adapters/metrics.ts";
const metrics = new Metrics("live");
const log = createLogger("live", "info", metrics);
const refused = (code) => Object.assign(new Error("no " + Math.random()), { code });
`;

/** Runs the body as a program, and gives its log and what it printed. */
function run(body: string): { lines: LogLine[]; stdout: string } {
  const { stderr, stdout } = spawnSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", `${RUN}${body}`],
    { encoding: "utf8" },
  );
  return { lines: logLines(stderr), stdout };
}

test("an error is written once and then counted; the count is written before the process ends", () => {
  const { lines, stdout } = run(`
    for (let attempt = 1; attempt <= 5; attempt++) log.error({ err: refused("ECONNREFUSED"), attempt }, "no answer");
    log.error({ err: refused("ETIMEDOUT") }, "no answer");
    log.warn({ err: refused("ECONNREFUSED") }, "no answer");
    log.error({ err: refused("ECONNREFUSED"), task: "sensor/imu-data-all/3" }, "no answer");
    for (let n = 0; n < 2; n++) log.info("started");
    console.log(metrics.snapshot()["program.errors"]);
    process.exit(0);
  `);
  expect(lines.map(({ level, msg, attempt, repeated, err }) => [level, msg, err?.["code"], attempt, repeated])).toEqual(
    [
      ["error", "no answer", "ECONNREFUSED", 1, undefined],
      ["error", "no answer", "ETIMEDOUT", undefined, undefined],
      ["warn", "no answer", "ECONNREFUSED", undefined, undefined],
      ["error", "no answer", "ECONNREFUSED", undefined, undefined],
      ["info", "started", undefined, undefined, undefined],
      ["info", "started", undefined, undefined, undefined],
      ["error", "no answer", "ECONNREFUSED", 5, 4],
    ],
  );
  expect(lines.at(-1)!.since! <= lines[0]!.time).toBe(true);
  // Each of the seven, written or not.
  expect(stdout).toBe("7\n");
});

test("each line of an alarm is written, and of lines about one record each the first twenty of a minute", () => {
  const { lines } = run(`
    for (let n = 0; n < 3; n++) log.error({ alarm: "partition-stopped" }, "stopped");
    for (let offset = 0; offset < 30; offset++) log.error({ offset, traceId: null }, "record can't be read");
  `);
  expect(lines.filter(({ msg }) => msg === "stopped")).toHaveLength(3);
  const records = lines.filter(({ msg }) => msg !== "stopped");
  expect(records.map(({ offset, repeated }) => [offset, repeated])).toEqual([
    ...Array.from({ length: 20 }, (_, offset) => [offset, undefined]),
    [29, 10],
  ]);
});

test("a line without fields is counted, too", () => {
  const { lines } = run(`for (let n = 0; n < 3; n++) log.warn("busy");`);
  expect(lines.map(({ msg, repeated }) => [msg, repeated])).toEqual([
    ["busy", undefined],
    ["busy", 2],
  ]);
});
