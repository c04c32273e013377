import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { createKafka } from "../../../adapters/kafka.ts";
import { readSettings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { openCluster } from "../../adapters/kafka-cluster.ts";
import { sensorMachineFactory } from "../../adapters/machine-factory.ts";
import { modelFiles, ModelStore } from "../../adapters/model-store.ts";
import { rawLakeRecords } from "../../adapters/raw-lake.ts";
import { noModels, type ScoringPorts } from "../../inference/scoring.ts";
import type { InputRecord, OutputRecord } from "../../runtime/machine.ts";
import { parseReplayArguments, type ReplaySource } from "./arguments.ts";
import { InputLines, outputLine } from "./lines.ts";
import { reinjectDeadLetters } from "./reinject.ts";
import { Replay } from "./replay.ts";

async function* recordsOf(file: string): AsyncGenerator<InputRecord> {
  const lines = new InputLines();
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity }))
    if (line.trim() !== "") yield lines.read(line);
}

async function print(outputs: readonly OutputRecord[]): Promise<void> {
  if (outputs.length === 0) return;
  if (!process.stdout.write(outputs.map((output) => `${outputLine(output)}\n`).join("")))
    await new Promise((resolve) => process.stdout.once("drain", resolve));
}

async function reinject({ code, brokers, dryRun }: Extract<ReplaySource, { kind: "dead-letter" }>): Promise<void> {
  const settings = readSettings("processor", { ...process.env, ...(brokers ? { KAFKA_BROKERS: brokers } : {}) });
  const kafka = createKafka(settings, "millrace-reinject");
  const cluster = openCluster(kafka);
  try {
    const summary = await reinjectDeadLetters({
      kafka,
      cluster,
      environment: settings.environment,
      delivery: settings.delivery,
      code,
      dryRun,
      told: (sentence) => process.stderr.write(`${sentence}\n`),
    });
    process.stdout.write(
      `${JSON.stringify({ ...(dryRun ? { dryRun } : {}), ...(code === undefined ? {} : { code }), ...summary })}\n`,
    );
  } finally {
    await cluster.disconnect();
  }
}

async function main(): Promise<void> {
  const { source, flush, semantics, models } = parseReplayArguments(process.argv.slice(2));
  if (source.kind === "dead-letter") return reinject(source);
  const scoring: ScoringPorts = {
    source:
      models === undefined ? noModels : new ModelStore(modelFiles(models, process.env["AWS_REGION"] ?? "us-east-1")),
    refused: (_reference, reason) => process.stderr.write(`model-refused: ${reason}\n`),
  };
  const factory = sensorMachineFactory(semantics, scoring);
  const records =
    source.kind === "file"
      ? () => recordsOf(source.file)
      : () => rawLakeRecords(source.dir, factory.sourceTopic, (sentence) => process.stderr.write(`${sentence}\n`));
  await new Replay(factory, records, print).run(flush);
}

main().catch((error: unknown) => {
  const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
  process.stderr.write(
    `${error instanceof MillraceError ? `${error.code}: ${error.message}` : missing ? `the input file does not exist: ${(error as NodeJS.ErrnoException).path}` : (error as Error).stack}\n`,
  );
  process.exitCode = 1;
});
