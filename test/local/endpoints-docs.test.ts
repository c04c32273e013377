import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { localPorts } from "../../config/local.ts";
import { readSettings } from "../../config/settings.ts";
import { deliveryLimits } from "../../domain/delivery-processors.ts";
import { eventSourceMappings, tradeQueue } from "../../domain/event-source-mappings.ts";
import { backOff } from "../../local/event-source/retry.ts";
import { limits as putEventsLimits } from "../../local/events/protocol.ts";
import { backOff as queueBackOff } from "../../local/events/queue.ts";
import { webSocketLimits } from "../../local/gateway/connections.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/local-endpoints.md"), "utf8");

test("docs/local-endpoints.md states the ports, limits and defaults of the code", () => {
  const firehose = readSettings("firehose", {});
  const events = readSettings("events", {});
  for (const sentence of [
    `(\`local/firehose\`, port ${localPorts.firehose})`,
    `(\`local/gateway\`, port ${localPorts.api}; dashboard ${localPorts.dashboard})`,
    `(\`local/features\`, port ${localPorts.features})`,
    `(\`local/events\`, port ${localPorts.events})`,
    `${putEventsLimits.entries} entries and ${putEventsLimits.requestBytes / 1024 ** 2} MiB per call`,
    `batching window of ${tradeQueue.batchingWindowMs / 1_000} s`,
    `at most ${tradeQueue.batchSize.toLocaleString("en-US")} and 6 MB in a batch`,
    `double from ${queueBackOff(1)} ms to ${queueBackOff(1_000) / 1_000} s`,
    `After ${tradeQueue.maxReceiveCount} deliveries`,
    `Above ${events.journalBytes / 1024 ** 2} MiB (\`EVENTS_JOURNAL_BYTES\`)`,
    `${deliveryLimits.callRecords} records and ${deliveryLimits.callBytes / 1024 ** 2} MiB per call`,
    `at most ${deliveryLimits.recordRows} rows`,
    `${(deliveryLimits.recordBytes / 1024).toLocaleString("en-US")} KiB per record`,
    `${firehose.bufferMs / 1_000} s old (\`FIREHOSE_BUFFER_MS\`)`,
    `or has ${firehose.bufferBytes / 1024 ** 2} MiB (\`FIREHOSE_BUFFER_BYTES\`)`,
    `read_parquet('${firehose.lakeDir}/raw`,
    `back off from ${backOff(1)} ms to ${backOff(1_000) / 1_000} s`,
    `after ${webSocketLimits.idleMs / 60_000} minutes without a message or ping`,
    `after ${webSocketLimits.lifeMs / 3_600_000} hours in any case`,
    `over ${webSocketLimits.messageBytes / 1024} KB`,
    `frames of at most ${webSocketLimits.frameBytes / 1024} KB`,
  ])
    expect(page).toContain(sentence);
  const windows = /^- \*\*Batching windows\*\*.*$/m.exec(page)![0];
  for (const { functionName, batchingWindowMs } of eventSourceMappings)
    expect(windows).toMatch(
      new RegExp(`\\b${batchingWindowMs / 1_000} s for (\`[a-z-]+\`(, | and )?)*\`${functionName}\``),
    );
});

test("each mapping has its own consumer group, as Lambda demands", () => {
  const groups = eventSourceMappings.map(({ consumerGroup }) => consumerGroup);
  expect(new Set(groups).size).toBe(groups.length);
});
