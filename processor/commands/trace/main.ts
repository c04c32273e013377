import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { openCluster } from "../../../adapters/kafka-cluster.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { print, runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { logName } from "../../../domain/names.ts";
import { pipelines } from "../../../domain/pipelines.ts";
import { topics } from "../../../domain/topics.ts";
import { parseTraceArguments } from "./arguments.ts";
import { findMessage } from "./find.ts";
import { tell } from "./tell.ts";
import { storyText } from "./text.ts";

async function main(args: readonly string[]): Promise<void> {
  const { wanted, times, json, brokers } = parseTraceArguments(args);
  const { logGeneration, ...connection } = readSettings("dump", withConnectionOptions(process.env, { brokers }));
  const kafka = createKafka(connection, "millrace-trace");
  const cluster = openCluster(kafka);
  try {
    const { pipeline, identity, found } = await findMessage(cluster, logGeneration, wanted, times);
    const log = logName(topics[pipelines[pipeline].input].name, logGeneration);
    const story = await tell({ kafka, cluster, pipeline, log }, identity, found);
    await print(json ? `${JSON.stringify(story)}\n` : storyText(story));
  } finally {
    await cluster.disconnect();
  }
}

await runCommand(main);
