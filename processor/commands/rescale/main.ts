import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { createLogger } from "../../../adapters/log.ts";
import { runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { pipelines } from "../../../domain/pipelines.ts";
import { pickSemantics } from "../../../domain/semantics.ts";
import { topics } from "../../../domain/topics.ts";
import { createDynamo } from "../../adapters/dynamo-client.ts";
import { DynamoSnapshots } from "../../adapters/dynamo-snapshots.ts";
import { openModels } from "../../adapters/model-store.ts";
import { openPipeline } from "../../adapters/open-pipeline.ts";
import { parseRescaleArguments } from "./arguments.ts";
import { rescale } from "./rescale.ts";

async function main(args: readonly string[]): Promise<void> {
  const { count, ...connection } = parseRescaleArguments(args);
  const settings = readSettings("processor", withConnectionOptions(process.env, connection));
  if (settings.delivery !== "transactional")
    throw new MillraceError(
      "rescale-refused",
      "DELIVERY is idempotent: without transactions nobody can be fenced, so the state can't be moved safely",
    );
  const { consumerGroup, outputs } = pipelines[settings.pipeline];
  const factory = openPipeline(settings.pipeline, openModels(settings), {
    formerly: pickSemantics(settings),
    generation: settings.logGeneration,
  });
  const { before, keys } = await rescale(
    {
      kafka: createKafka(settings, "millrace-rescale"),
      snapshots: new DynamoSnapshots(createDynamo(settings), settings.checkpointTable),
      environment: settings.environment,
      groupId: consumerGroup,
      factory,
      outputTopics: [...outputs, "deadLetter" as const].map((key) => topics[key].name),
      logger: createLogger("rescale", settings.logLevel),
      report: (sentence) => console.error(sentence),
    },
    count,
  );
  console.log(
    `${factory.sourceTopic}: ${before} partitions before, ${count} now; state of ${keys} sensors is in place. ` +
      "Start the processors, then the bridge.",
  );
}

await runCommand(main);
