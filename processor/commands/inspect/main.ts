import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { openCluster } from "../../../adapters/kafka-cluster.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { createLogger } from "../../../adapters/log.ts";
import { print, runCommand } from "../../../adapters/run-command.ts";
import { localPorts, LOOPBACK } from "../../../config/local.ts";
import { readSettings } from "../../../config/settings.ts";
import { pickSemantics } from "../../../domain/semantics.ts";
import { createDynamo } from "../../adapters/dynamo-client.ts";
import { DynamoSnapshots } from "../../adapters/dynamo-snapshots.ts";
import { openPipeline } from "../../adapters/open-pipeline.ts";
import { WITHOUT_MODELS } from "../../inference/scoring.ts";
import { parseInspectArguments } from "./arguments.ts";
import { inspectKey } from "./inspect.ts";
import { reportText } from "./text.ts";

async function main(args: readonly string[]): Promise<void> {
  const { json, brokers, dynamodb, ...wanted } = parseInspectArguments(args);
  const settings = readSettings("processor", withLocalStore(withConnectionOptions(process.env, { brokers, dynamodb })));
  const cluster = openCluster(createKafka(settings, "millrace-inspect"));
  try {
    const report = await inspectKey({
      ...wanted,
      cluster,
      snapshots: new DynamoSnapshots(createDynamo(settings), settings.checkpointTable),
      factory: openPipeline(wanted.pipeline, WITHOUT_MODELS, {
        formerly: pickSemantics(settings),
        generation: settings.logGeneration,
      }),
      now: Date.now,
      logger: createLogger("inspect", settings.logLevel),
    });
    await print(json ? `${JSON.stringify(report)}\n` : reportText(report));
  } finally {
    await cluster.disconnect();
  }
}

/** Where `npm start` has the snapshots. Elsewhere the environment says it, or the region does. */
function withLocalStore(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  if ((env["MILLRACE_ENV"] ?? "local") !== "local") return { ...env };
  return { DYNAMODB_ENDPOINT: `http://${LOOPBACK}:${localPorts.dynamodb}`, ...env };
}

await runCommand(main);
