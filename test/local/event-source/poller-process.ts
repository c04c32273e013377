import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
// For tests that kill it: a process with one event source mapping. Its function appends the values to a file, slowly
// enough that offsets are committed in between.
import type { MSKEvent } from "aws-lambda";
import { openCluster } from "../../../adapters/kafka-cluster.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { createLogger } from "../../../adapters/log.ts";
import { Metrics } from "../../../adapters/metrics.ts";
import type { EventSourceMapping } from "../../../domain/event-source-mappings.ts";
import { Poller } from "../../../local/event-source/poller.ts";

const [brokers, output, mapping] = process.argv.slice(2) as [string, string, string];
new Poller({
  mapping: JSON.parse(mapping) as EventSourceMapping,
  invoke: async (event) => {
    const records = Object.values((event as MSKEvent).records).flat();
    await pause(100);
    appendFileSync(output, records.map(({ value }) => `${Buffer.from(value, "base64").toString()}\n`).join(""));
  },
  cluster: openCluster(
    createKafka({ kafkaBrokers: brokers, kafkaAuth: "none", region: "local" }, "poller-process"),
    "uncommitted",
  ),
  brokers,
  onFailureDir: output,
  log: createLogger("test", "fatal"),
  metrics: new Metrics(),
}).start();
