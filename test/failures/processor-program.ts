import { createKafka } from "../../adapters/kafka.ts";
import { createLogger } from "../../adapters/log.ts";
import { onShutdown } from "../../adapters/shutdown.ts";
import { createDynamo } from "../../processor/adapters/dynamo-client.ts";
import { startService } from "../../processor/adapters/service.ts";
import { defaultTaskOptions } from "../../processor/engine/task-options.ts";
import { countingMachineFactory } from "../processor/engine/counting-machine.ts";
import type { ProgramArguments } from "./harness.ts";
import { faultyPorts } from "./inject-fault.ts";

// The process that the tests of failures kill: a processor with the counting machine, on real Kafka and DynamoDB.
const given = JSON.parse(process.argv[2]!) as ProgramArguments;
const logger = createLogger("counting", "info");
const service = await startService({
  kafka: createKafka({ kafkaBrokers: given.kafkaBrokers, kafkaAuth: "none", region: "local" }, "counting"),
  dynamodb: createDynamo({ region: "local", dynamodbEndpoint: given.dynamodbEndpoint }),
  checkpointTable: given.table,
  keptSegmentBytes: 16_000_000,
  environment: given.environment,
  groupId: given.groupId,
  delivery: given.delivery,
  factory: countingMachineFactory(given.topic, given.fingerprint),
  options: { ...defaultTaskOptions, snapshotIntervalMs: 300 },
  observer: {
    log: (level, fields, message) => logger[level](fields, message),
    committed: (task, { nextOffset }) => process.send?.({ committed: { task, nextOffset } }),
    stepped: () => undefined,
    snapshotWritten: (task) => process.send?.({ snapshot: task }),
    restarted: (task, error) => {
      process.send?.({ restarted: task });
      logger.warn({ task, err: error }, "task starts again");
    },
    recovered: (_task, milliseconds) => process.send?.({ recovered: milliseconds }),
  },
  logger,
  ...(given.fault ? { wrap: faultyPorts(given.fault) } : {}),
  onLost: (error) => {
    logger.error({ err: error }, "membership lost");
    process.exit(1);
  },
});
process.on("message", (message) => {
  if (message === "health") process.send?.({ health: service.health() });
});
onShutdown(logger, () => service.stop(), 15_000);
