import { createKafka } from "../../../adapters/kafka.ts";
import { createLogger } from "../../../adapters/log.ts";
import { readSettings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { consumerGroups } from "../../../domain/names.ts";
import { pickSemantics } from "../../../domain/semantics.ts";
import { createDynamo } from "../../adapters/dynamo-client.ts";
import { sensorMachineFactory } from "../../adapters/machine-factory.ts";
import { modelFiles, ModelStore } from "../../adapters/model-store.ts";
import { recoveryChoices } from "../../engine/recovery-choices.ts";
import type { Diagnosis } from "../../engine/recovery.ts";
import { noModels } from "../../inference/scoring.ts";
import { parseRecoverArguments } from "./arguments.ts";
import { Recovery } from "./recovery.ts";

try {
  const given = parseRecoverArguments(process.argv.slice(2));
  const settings = readSettings("processor", {
    ...process.env,
    ...(given.brokers ? { KAFKA_BROKERS: given.brokers } : {}),
    ...(given.dynamodb ? { DYNAMODB_ENDPOINT: given.dynamodb } : {}),
  });
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  const recovery = new Recovery({
    kafka: createKafka(settings, "millrace-recover"),
    dynamodb: createDynamo(settings),
    checkpointTable: settings.checkpointTable,
    environment: settings.environment,
    groupId: consumerGroups.sensorProcessor,
    delivery: settings.delivery,
    factory: sensorMachineFactory(pickSemantics(settings), {
      source: settings.modelSource ? new ModelStore(modelFiles(settings.modelSource, settings.region)) : noModels,
      refused: () => undefined,
    }),
    logger: createLogger("recover", settings.logLevel),
  });
  try {
    const tasks = await recovery.tasks();
    if (given.task !== undefined && !tasks.has(given.task))
      throw new MillraceError(
        "arguments-invalid",
        `--task is ${JSON.stringify(given.task)}; there are ${[...tasks.keys()].join(", ")}`,
      );
    for (const [task, partition] of tasks) {
      if (given.task !== undefined && task !== given.task) continue;
      if (given.choice) {
        const { nextOffset } = await recovery.recover(task, partition, given.choice);
        console.log(
          `${task}: ${given.choice} is done; the task goes on at offset ${nextOffset}, a running processor by itself within seconds`,
        );
      } else console.log(describe(await recovery.diagnose(task, partition)));
    }
  } finally {
    await recovery.close();
  }
} catch (error) {
  console.error(error instanceof MillraceError ? `${error.code}: ${error.message}` : error);
  process.exitCode = 1;
}

/** A diagnosis as somebody on call reads it. */
function describe({ task, progress, manifest, log, problem, choices }: Diagnosis): string {
  const covers = manifest?.covers;
  return [
    `${task}: ${problem ? problem.code : "well"}`,
    `  committed  ${progress ? `below offset ${progress.nextOffset}, chain ${progress.chain}, by code ${progress.fingerprint}` : "nothing"}`,
    `  snapshot   ${covers ? `covers offsets below ${covers.nextOffset}, chain ${covers.chain}, by code ${covers.fingerprint}` : "none"}`,
    `  log        has offsets ${log.earliest} to ${log.latest}`,
    ...(problem
      ? [
          `  problem    ${problem.message}`,
          ...choices.map((choice) => `  choice     --task ${task} --choice ${choice}: ${recoveryChoices[choice]}`),
        ]
      : []),
  ].join("\n");
}
