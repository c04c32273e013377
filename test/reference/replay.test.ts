import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { defaultSemantics, type Semantics, semanticsSettings } from "../../domain/semantics.ts";
import { difference } from "./compare.ts";
import { readReplayLine, replayLine, type Run } from "./log.ts";
import { readable } from "./property.ts";
import { referenceRun } from "./reference.ts";
import { hostileSettings, hostileStreams, type Stream } from "./streams.ts";

const program = join(import.meta.dirname, "../../processor/commands/replay/main.ts");

const streams = hostileStreams(hostileSettings, 80);

function options(settings: Semantics): string[] {
  return semanticsSettings.map(([name, { option }]) => `--${option}=${settings[name]}`);
}

/** Bytes that the command prints for a stream; its options override what the log says, or there are none. */
async function replay({ log, settings, flush }: Stream, override = true): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-reference-"));
  try {
    const input = join(folder, "input.ndjson");
    await writeFile(input, log.map((record) => `${replayLine(record)}\n`).join(""));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        program,
        "--input",
        input,
        ...(flush ? ["--flush"] : []),
        ...(override ? options(settings) : []),
      ],
      { maxBuffer: 1e9 },
    );
    return stdout;
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("the replay command prints the reference's outputs, the same bytes every time", async () => {
  const seed = process.env["SEED"] === undefined ? Date.now() % 2 ** 31 : Number(process.env["SEED"]);
  for (const [i, stream] of fc.sample(streams, { numRuns: 4, seed }).entries()) {
    const printed = await replay(stream);
    const run: Run = {
      outputs: printed
        .split("\n")
        .filter((text) => text !== "")
        .map(readReplayLine),
      duplicates: undefined,
    };
    const problem = difference(referenceRun(stream.log, stream.settings, stream.flush, stream.settings), run);
    if (problem !== undefined)
      throw new Error(`seed ${seed} (SEED=${seed} runs it again):\n${problem}\n${readable(stream)}`);
    if (i === 0) expect(await replay(stream)).toBe(printed);
  }
}, 120_000);

test("without options the replay command runs on the log's own settings records, or on the defaults", async () => {
  const seed = process.env["SEED"] === undefined ? Date.now() % 2 ** 31 : Number(process.env["SEED"]);
  for (const stream of fc.sample(streams, { numRuns: 2, seed })) {
    const first = [...new Set(stream.log.map(({ partition }) => partition))].map((partition) => ({
      partition,
      offset: 0,
      timestamp: -1e12,
      key: null,
      value: null,
      headers: { type: "settings", settings: JSON.stringify(stream.settings) },
    }));
    const log = [...first, ...stream.log.map((record) => ({ ...record, offset: record.offset + 1 }))];
    const printed = await replay({ ...stream, log }, false);
    const lines = printed.split("\n").filter((text) => text !== "");
    const run: Run = { outputs: lines.map(readReplayLine), duplicates: undefined };
    const problem = difference(referenceRun(log, defaultSemantics, stream.flush), run);
    if (problem !== undefined)
      throw new Error(`seed ${seed} (SEED=${seed} runs it again):\n${problem}\n${readable({ ...stream, log })}`);
  }
}, 120_000);
