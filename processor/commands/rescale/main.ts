import { parseArgs } from "node:util";
import { createKafka } from "../../../adapters/kafka.ts";
import { createLogger } from "../../../adapters/log.ts";
import { readSettings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { consumerGroups } from "../../../domain/names.ts";
import { pickSemantics } from "../../../domain/semantics.ts";
import { topics } from "../../../domain/topics.ts";
import { createDynamo } from "../../adapters/dynamo-client.ts";
import { DynamoSnapshots } from "../../adapters/dynamo-snapshots.ts";
import { sensorMachineFactory } from "../../adapters/machine-factory.ts";
import { modelFiles, ModelStore } from "../../adapters/model-store.ts";
import { noModels } from "../../inference/scoring.ts";
import { rescale } from "./rescale-tasks.ts";

const USAGE = `npm run rescale -- --partitions N [--brokers HOST:PORT,…] [--dynamodb URL]
Raises the number of partitions of ${topics.imuData.name} and of what is derived from it, and moves each sensor's state to
its new partition. See docs/rescale.md. The processor's environment variables apply. Before it:
  1. Stop the bridge: the MQTT broker keeps what devices publish (QoS 1).
  2. Wait until the processor's lag is 0.
  3. Stop all processors by SIGTERM: each writes a last snapshot.
After it: start the processors, then the bridge. If it ends with an error, run it again before you start them.`;

/** Partitions that one cluster can reasonably have. */
const MAX_PARTITIONS = 1_000;

function parseRescaleArguments(args: readonly string[]): {
  count: number;
  brokers: string | undefined;
  dynamodb: string | undefined;
} {
  let values: { partitions?: string; brokers?: string; dynamodb?: string };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: { partitions: { type: "string" }, brokers: { type: "string" }, dynamodb: { type: "string" } },
    }));
  } catch (cause) {
    throw new MillraceError("arguments-invalid", `${(cause as Error).message}\n${USAGE}`, { cause });
  }
  const count = /^\d+$/.test(values.partitions ?? "") ? Number(values.partitions) : 0;
  if (count < 1 || count > MAX_PARTITIONS)
    throw new MillraceError(
      "arguments-invalid",
      `--partitions is ${JSON.stringify(values.partitions ?? null)}; a whole number from 1 to ${MAX_PARTITIONS} is expected\n${USAGE}`,
    );
  return { count, brokers: values.brokers, dynamodb: values.dynamodb };
}

try {
  const { count, brokers, dynamodb } = parseRescaleArguments(process.argv.slice(2));
  const settings = readSettings("processor", {
    ...process.env,
    ...(brokers ? { KAFKA_BROKERS: brokers } : {}),
    ...(dynamodb ? { DYNAMODB_ENDPOINT: dynamodb } : {}),
  });
  if (settings.delivery !== "transactional")
    throw new MillraceError(
      "rescale-refused",
      "DELIVERY is idempotent: without transactions nobody can be fenced, so the state can't be moved safely",
    );
  const semantics = pickSemantics(settings);
  const client = createDynamo(settings);
  const { before, keys } = await rescale(
    {
      kafka: createKafka(settings, "millrace-rescale"),
      snapshots: new DynamoSnapshots(client, settings.checkpointTable),
      environment: settings.environment,
      groupId: consumerGroups.sensorProcessor,
      factory: sensorMachineFactory(semantics, {
        source: settings.modelSource ? new ModelStore(modelFiles(settings.modelSource, settings.region)) : noModels,
        refused: () => undefined,
      }),
      limits: semantics,
      outputTopics: [
        topics.transformed,
        topics.aggregated,
        topics.late,
        topics.sessions,
        topics.inference,
        topics.deadLetter,
      ].map(({ name }) => name),
      logger: createLogger("rescale", settings.logLevel),
      told: (sentence) => console.error(sentence),
    },
    count,
  );
  console.log(
    `${topics.imuData.name}: ${before} partitions before, ${count} now; state of ${keys} sensors is in place. Start the processors, then the bridge.`,
  );
} catch (error) {
  console.error(error instanceof MillraceError ? `${error.code}: ${error.message}` : error);
  process.exitCode = 1;
}
