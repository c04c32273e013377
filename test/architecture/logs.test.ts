import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, jest, test } from "@jest/globals";
import { mskEvent } from "../lambda/events.ts";
import { startFunction } from "../lambda/function-process.ts";
import { eventually } from "../support/eventually.ts";
import { logLines } from "../support/log-lines.ts";
import { sourceFiles } from "./source-files.ts";

jest.setTimeout(60_000);
const ROOT = join(import.meta.dirname, "..", "..");

/** Folders of programs and Lambda functions, and of what they are made of. */
const folders = ["adapters", "bridge", "config", "domain", "lambda", "live", "ops", "processor", "simulator"];
const endpoints = ["aws", "event-source", "events", "features", "firehose", "gateway", "lambda"];
/** Commands speak to people: they print on stdout, and say on stderr why they fail. */
const COMMAND = /^processor\/commands\/|^(?:adapters\/run-command|lambda\/check-features\/main|simulator\/.*)\.ts$/;
const files = [...folders, ...endpoints.map((name) => `local/${name}`)].flatMap(sourceFiles);

/** The programs that `npm start` runs; the simulator is a command. */
const programs = files.filter(({ path }) => /^(?:bridge|live|processor|local\/[a-z-]+)\/main\.ts$/.test(path));

describe("a log has one format:", () => {
  test("nothing but adapters/log.ts writes, commands excepted", () => {
    const writing = files.filter(
      ({ path, code }) =>
        path !== "adapters/log.ts" &&
        !COMMAND.test(path) &&
        (/\bconsole\.|\bprocess\.std(?:out|err)\b/.test(code) || /\bpino\(/.test(code)),
    );
    expect(writing.map(({ path }) => path)).toEqual([]);
    expect(files.length).toBeGreaterThan(200);
  });

  test("each program says why it ends before it reads its settings", () => {
    expect(programs.map(({ path }) => path).toSorted()).toEqual([
      "bridge/main.ts",
      "live/main.ts",
      "local/event-source/main.ts",
      "local/events/main.ts",
      "local/features/main.ts",
      "local/firehose/main.ts",
      "local/gateway/main.ts",
      "processor/main.ts",
    ]);
    for (const { path, code } of programs)
      expect([path, code]).toEqual([path, expect.stringMatching(/^logUncaught\(/m)]);
  });

  test.each(programs.map(({ path }) => path))("%s with a wrong setting", (path) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", join(ROOT, path)],
      { encoding: "utf8", env: { ...process.env, LOG_LEVEL: "loud" } },
    );
    const name = path.split("/").at(-2)!;
    expect([status, stdout]).toEqual([1, ""]);
    expect(logLines(stderr)).toMatchObject([
      {
        level: "error",
        program: name,
        err: { type: "MillraceError", code: "config-invalid", message: expect.stringContaining('"loud"') },
      },
    ]);
  });
});

test("the line in docs/observability.md has this format", () => {
  const page = readFileSync(join(ROOT, "docs", "observability.md"), "utf8");
  const example = /^## Logs$.*?^```json\n(.*?)^```/ms.exec(page)![1]!;
  expect(logLines(example)).toMatchObject([{ level: "error", traceId: "4bf92f3577b34da6a3ce929d0e0e4736" }]);
});

describe("a function", () => {
  const audit = startFunction("audit-output", { LOG_LEVEL: "info" });
  afterAll(() => audit.stop());

  test("writes a record that it can't read with its place and its trace, in the same format", async () => {
    const place = { topic: "sensor-data-aggregated", partition: 3, offset: 41 };
    const headers = { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" };
    await audit.invoke(
      mskEvent([
        { ...place, key: "s1", value: { id: "poison" }, headers },
        { ...place, offset: 42, value: "{" },
      ]),
    );
    const lines = await eventually(() => logLines(audit.log()), { until: ({ length }) => length >= 3 });
    expect(lines).toMatchObject([
      { level: "info", program: "audit-output" },
      {
        level: "error",
        program: "audit-output",
        ...place,
        traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
        err: { type: "ZodError" },
      },
      { level: "error", program: "audit-output", ...place, offset: 42, traceId: null, err: { type: "SyntaxError" } },
    ]);
  });
});
