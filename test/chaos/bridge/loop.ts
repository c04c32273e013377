import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Kafka } from "kafkajs";
import { createTopics } from "../../../adapters/kafka-topics.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { writeSettings } from "../../../config/settings.ts";
import { topics } from "../../../domain/topics.ts";
import { startServers } from "../../../local/servers/index.ts";
import { seededRandom } from "../../../simulator/synthetic/random.ts";
import { eventually } from "../../support/eventually.ts";
import { BridgeProcess } from "./bridge-process.ts";
import { faults, type FaultName } from "./faults.ts";
import { Ledger } from "./ledger.ts";

/** How long what is acknowledged may take to reach Kafka after a fault. */
const SETTLE_LIMIT_MS = 30_000;
/** A bridge lives for up to this long before the next fault: its start, when it subscribes, included. */
const LIFE_LIMIT_MS = 1_500;

export interface BridgeLoopOptions {
  /** Folder for the servers' data and the bridge's log. */
  readonly home: string;
  readonly faults: number;
  readonly messagesPerSecond: number;
  readonly seed: number;
  /** Which faults. @default all */
  readonly only?: readonly FaultName[];
  readonly onProgress: (message: string) => void;
}

export interface BridgeLoopResult {
  readonly faults: Readonly<Record<string, number>>;
  /** Messages that the MQTT broker has acknowledged. */
  readonly acknowledged: number;
  /** Records that repeat an earlier one; the processor drops them. */
  readonly copies: number;
  /** Acknowledged messages that reached Kafka later than the limit after a fault, or not at all. */
  readonly missing: readonly { readonly fault: FaultName; readonly late: number; readonly lost: number }[];
}

/**
 * Publishes to an MQTT broker of its own while members of the bridge's group die, and counts what was acknowledged
 * against the log in Kafka.
 */
export async function bridgeLoop(options: BridgeLoopOptions): Promise<BridgeLoopResult> {
  const { home, messagesPerSecond, onProgress } = options;
  const servers = await startServers({ which: ["kafka", "mqtt"], dataDir: home });
  const kafka = createKafka({ kafkaBrokers: servers.kafkaBrokers, kafkaAuth: "none", region: "local" }, "chaos");
  const bridge = new BridgeProcess(
    writeSettings("bridge", { ...servers, environment: "local", healthPort: 0, logLevel: "info" }),
    join(home, "bridge.log"),
  );
  let ledger: Ledger | undefined;
  try {
    const admin = kafka.admin();
    await admin.connect();
    await createTopics(admin);
    await admin.disconnect();
    bridge.start();
    // Without a subscription the broker acknowledges messages and discards them.
    await subscribed(kafka);
    ledger = await Ledger.open(servers.mqttUrl, kafka, messagesPerSecond);
    const counts: Record<string, number> = {};
    const overdue: { fault: FaultName; messages: readonly number[] }[] = [];
    const random = seededRandom(options.seed);
    const names = options.only ?? (Object.keys(faults) as FaultName[]);
    const pauseMs = (limit: number): number => random() * limit;
    for (let i = 0; i < options.faults; i++) {
      const fault = names[Math.floor(random() * names.length)]!;
      await delay(pauseMs(LIFE_LIMIT_MS));
      await faults[fault]({ mqttUrl: servers.mqttUrl, bridge, pauseMs });
      counts[fault] = (counts[fault] ?? 0) + 1;
      // Every other fault meets a bridge that is still starting.
      if (random() < 0.5 && i < options.faults - 1) continue;
      const missing = await ledger.settle(SETTLE_LIMIT_MS);
      if (missing.length > 0) {
        overdue.push({ fault, messages: missing });
        onProgress(`${fault} (fault ${i + 1}): ${missing.length} acknowledged messages are not in Kafka yet`);
      } else if (i % 10 === 0) onProgress(`${i + 1} faults, ${ledger.acknowledged} messages acknowledged`);
    }
    await ledger.stopPublishing();
    const missing = await ledger.settle(SETTLE_LIMIT_MS);
    if (missing.length > 0) overdue.push({ fault: names.at(-1)!, messages: missing });
    const { acknowledged, copies } = ledger;
    const hasArrived = (seq: number): boolean => ledger!.hasArrived(seq);
    return {
      faults: counts,
      acknowledged,
      copies,
      missing: overdue.map(({ fault, messages }) => {
        const late = messages.filter(hasArrived).length;
        return { fault, late, lost: messages.length - late };
      }),
    };
  } finally {
    await ledger?.close();
    await bridge.end();
    await servers.stop();
  }
}

/** Resolves when the bridge has subscribed: it appends ticks from then on. */
async function subscribed(kafka: Kafka): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await eventually(() => admin.fetchTopicOffsets(topics.imuData.name), {
    until: (partitions) => partitions.some(({ high }) => Number(high) > 0),
  });
  await admin.disconnect();
}
