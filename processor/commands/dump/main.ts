import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { openCluster } from "../../../adapters/kafka-cluster.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { print, runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { logName } from "../../../domain/names.ts";
import { parseDumpArguments } from "./arguments.ts";
import { dumpTopic } from "./dump-topic.ts";

async function main(args: readonly string[]): Promise<void> {
  const { topic, brokers, range } = parseDumpArguments(args);
  const settings = readSettings("dump", withConnectionOptions(process.env, { brokers }));
  const cluster = openCluster(createKafka(settings, "millrace-dump"));
  try {
    await dumpTopic(cluster, topic, logName(topic, settings.logGeneration), range, print);
  } finally {
    await cluster.disconnect();
  }
}

await runCommand(main);
