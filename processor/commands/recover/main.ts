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
import type { CatchUpResult } from "../../engine/recovery.ts";
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
    const tasks = wanted(await recovery.tasks(), given.task);
    if (given.catchUp) return await catchUp(recovery, tasks);
    for (const [task, partition] of tasks) {
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

/** Catches up each task, also behind one that can't. @throws MillraceError why the first of those can't */
async function catchUp(recovery: Recovery, tasks: readonly [string, number][]): Promise<void> {
  let problem: unknown;
  for (const [task, partition] of tasks) {
    try {
      console.log(`${task}: ${catchUpResults[await recovery.catchUp(task, partition)]}`);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      console.log(`${task}: can't catch up: ${error.code}`);
      problem ??= error;
    }
  }
  if (problem !== undefined) throw problem;
}

const catchUpResults: Readonly<Record<CatchUpResult, string>> = {
  "nothing-committed": "has committed nothing",
  "already-covered": "its snapshot covers what is committed",
  "other-code": "was committed last by another version, which has to catch up",
  "caught-up": "caught up; the snapshot covers what is committed",
};

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
