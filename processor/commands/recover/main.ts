import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { createLogger } from "../../../adapters/log.ts";
import { runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { pipelines } from "../../../domain/pipelines.ts";
import { pickSemantics } from "../../../domain/semantics.ts";
import { createDynamo } from "../../adapters/dynamo-client.ts";
import { openModels } from "../../adapters/model-store.ts";
import { openPipeline } from "../../adapters/open-pipeline.ts";
import { parseRecoverArguments } from "./arguments.ts";
import { describe } from "./describe.ts";
import { Recovery } from "./recovery.ts";

async function main(args: readonly string[]): Promise<void> {
  const given = parseRecoverArguments(args);
  const settings = readSettings("processor", withConnectionOptions(process.env, given));
  const recovery = new Recovery({
    kafka: createKafka(settings, "millrace-recover"),
    dynamodb: createDynamo(settings),
    checkpointTable: settings.checkpointTable,
    environment: settings.environment,
    groupId: pipelines[settings.pipeline].consumerGroup,
    delivery: settings.delivery,
    factory: openPipeline(settings.pipeline, openModels(settings), {
      formerly: pickSemantics(settings),
      // Whoever chooses knows under which settings the state was made, and gives them to this command.
      trustFormerly: given.choice !== undefined,
      generation: settings.logGeneration,
    }),
    logger: createLogger("recover", settings.logLevel),
  });
  try {
    for (const [task, partition] of wanted(await recovery.tasks(), given.task)) {
      if (given.choice === undefined) {
        console.log(describe(await recovery.diagnose(task, partition)));
        continue;
      }
      const progress = await recovery.recover(task, partition, given.choice);
      const where = progress ? `at offset ${progress.nextOffset}` : "at its beginning";
      console.log(
        `${task}: ${given.choice} is done; the task continues ${where}, ` +
          "a running processor by itself within seconds",
      );
    }
  } finally {
    await recovery.close();
  }
}

function wanted(tasks: ReadonlyMap<string, number>, task: string | undefined): [string, number][] {
  if (task === undefined) return [...tasks];
  const partition = tasks.get(task);
  if (partition === undefined)
    throw new MillraceError(
      "arguments-invalid",
      `--task is ${JSON.stringify(task)}; there are ${[...tasks.keys()].join(", ")}`,
    );
  return [[task, partition]];
}

await runCommand(main);
