import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { MillraceError } from "../domain/errors.ts";
import { modelFiles, ModelStore } from "./adapters/model-store.ts";
import { noModels, type ScoringPorts } from "./inference/scoring.ts";
import type { InputRecord, OutputRecord } from "./path/machine.ts";
import { sensorMachineFactory } from "./pipelines.ts";
import { parseReplayArguments } from "./replay-arguments.ts";
import { InputLines, outputLine } from "./replay-lines.ts";
import { Replay } from "./replay-run.ts";

async function* recordsOf(file: string): AsyncGenerator<InputRecord> {
  const lines = new InputLines();
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) if (line.trim() !== "") yield lines.read(line);
}

async function print(outputs: readonly OutputRecord[]): Promise<void> {
  if (outputs.length === 0) return;
  if (!process.stdout.write(outputs.map((output) => `${outputLine(output)}\n`).join(""))) await new Promise((resolve) => process.stdout.once("drain", resolve));
}

async function main(): Promise<void> {
  const { input, flush, semantics, models } = parseReplayArguments(process.argv.slice(2));
  const scoring: ScoringPorts = {
    source: models === undefined ? noModels : new ModelStore(modelFiles(models, process.env["AWS_REGION"] ?? "us-east-1")),
    refused: (_reference, reason) => process.stderr.write(`model-refused: ${reason}\n`),
  };
  await new Replay(sensorMachineFactory(semantics, scoring), () => recordsOf(input), print).run(flush);
}

main().catch((error: unknown) => {
  const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
  process.stderr.write(`${error instanceof MillraceError ? `${error.code}: ${error.message}` : missing ? `the input file does not exist: ${(error as NodeJS.ErrnoException).path}` : (error as Error).stack}\n`);
  process.exitCode = 1;
});
