import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { print, runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { withLake } from "../../adapters/lake-copy.ts";
import { openModels } from "../../adapters/model-store.ts";
import { openPipeline } from "../../adapters/open-pipeline.ts";
import { tablesOfLog } from "../../adapters/raw-lake.ts";
import type { KnownRecord, MachineFactory, OutputRecord } from "../../runtime/machine.ts";
import { parseReplayArguments } from "./arguments.ts";
import { InputLines, outputLine } from "./lines.ts";
import { replayLake } from "./replay-lake.ts";
import { Replay } from "./replay.ts";

async function main(args: readonly string[]): Promise<void> {
  const { source, flush, pipeline, override, models } = parseReplayArguments(args);
  const settings = readSettings("replay", process.env);
  const scoring = openModels(
    { modelSource: models, region: settings.region },
    { refused: (_model, reason) => warn(`model-refused: ${reason}`) },
  );
  const name = pipeline ?? settings.pipeline;
  const open = (generation: number): MachineFactory => openPipeline(name, scoring, { override, generation });
  const { logGeneration } = settings;
  if (source.kind === "file")
    return new Replay(open(logGeneration), () => fileRecords(source.file), printOutputs).run(flush);
  const generations = { first: logGeneration, last: logGeneration };
  const lake = { lake: source.dir, tables: tablesOfLog(name), region: settings.region, report: warn };
  await withLake(lake, async (dir) => {
    await replayLake({ dir, open, ...generations, take: printOutputs, warn }, flush);
  });
}

async function* fileRecords(file: string): AsyncGenerator<KnownRecord> {
  const lines = new InputLines();
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity }))
      if (line.trim() !== "") yield lines.read(line);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
    throw new MillraceError("arguments-invalid", `the input file does not exist: ${file}`, { cause });
  }
}

async function printOutputs(outputs: readonly OutputRecord[]): Promise<void> {
  if (outputs.length > 0) await print(outputs.map((output) => `${outputLine(output)}\n`).join(""));
}

function warn(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

await runCommand(main);
