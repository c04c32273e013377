import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Kafka } from "kafkajs";
import WebSocket from "ws";
import { createKafka } from "../adapters/kafka.ts";
import { LOOPBACK } from "../config/local.ts";
import { headers, topics } from "../domain/topics.ts";
import { readRecord } from "../live/messages.ts";
import { Platform } from "../local/platform.ts";
import { pickPlatformPorts } from "../local/processes/ports.ts";
import { follow, percentile } from "./outputs.ts";
import { until } from "./processor-process.ts";

/** Percentiles in ms; NaN without values. */
export interface Distribution {
  readonly p50: number;
  readonly p99: number;
}

export interface PlatformLatency {
  readonly readingsPerSecond: number;
  /**
   * Age of the newest sample of a `samples` message on arrival. A device publishes a message when it takes the last
   * sample, so this is the time since the MQTT publish.
   */
  readonly publishToWebSocket: Distribution;
  readonly messages: number;
  /** The same path hop by hop, measured afterwards with two additional Kafka consumers. */
  readonly hops: Readonly<Record<string, Distribution>>;
}

const WARM_UP_MS = 20_000;

/** Runs the whole platform of `npm start` on free ports, with its simulator. The clients divide the sensors. */
export async function platformLatency(
  sensors: number,
  hz: number,
  clients: number,
  seconds: number,
  home: string,
): Promise<PlatformLatency> {
  const ports = await pickPlatformPorts();
  const simulatorArguments = [`--sensors=${sensors}`, `--rate=${hz}`];
  const sensorsAlone = { simulator: true, simulatorArguments, market: false, marketArguments: [] };
  const platform = new Platform({ home, ports, fresh: true, ...sensorsAlone }, process.env, {
    onProgress: () => undefined,
    onEvent: (message) => console.error(message),
  });
  const sockets: WebSocket[] = [];
  try {
    await platform.start();
    const arrivals = new Arrivals();
    for (const sensorIds of shares(await sensorIdsOf(ports.api, sensors), clients))
      sockets.push(await subscribe(ports.api, sensorIds, arrivals));
    await sleep(WARM_UP_MS);
    arrivals.begin();
    await platform.metrics(); // Rates cover the time since the call before.
    await sleep(seconds * 1_000);
    const { metrics } = await platform.metrics();
    const ages = arrivals.end().map(({ receivedAt, newest }) => receivedAt - newest);
    const kafka = createKafka(
      { kafkaBrokers: platform.connections.kafkaBrokers, kafkaAuth: "none", region: "local" },
      "bench",
    );
    const hops = await measureHops(kafka, arrivals, seconds);
    return {
      readingsPerSecond: metrics.readingsPerSecond,
      publishToWebSocket: distribution(ages),
      messages: ages.length,
      hops,
    };
  } finally {
    for (const socket of sockets) socket.terminate();
    await platform.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

/** Records the arrivals of `samples` messages between `begin` and `end`. */
class Arrivals {
  #recorded: { readonly id: string; readonly newest: number; readonly receivedAt: number }[] | null = null;

  begin(): void {
    this.#recorded = [];
  }

  end(): { readonly id: string; readonly newest: number; readonly receivedAt: number }[] {
    const recorded = this.#recorded ?? [];
    this.#recorded = null;
    return recorded;
  }

  receive(frame: string): void {
    if (this.#recorded === null) return;
    const receivedAt = Date.now();
    const parsed = JSON.parse(frame) as Frame | Frame[];
    for (const { type, data } of Array.isArray(parsed) ? parsed : [parsed]) {
      if (type === "samples") this.#recorded.push({ id: data!.id, newest: data!.t.at(-1)!, receivedAt });
    }
  }
}

interface Frame {
  readonly type: string;
  readonly data?: { readonly id: string; readonly t: readonly number[] };
}

async function sensorIdsOf(apiPort: number, sensors: number): Promise<string[]> {
  return until(
    `${sensors} sensors in the REST API`,
    60_000,
    async () => {
      const response = await fetch(`http://${LOOPBACK}:${apiPort}/sensors?limit=${sensors}`);
      const { items } = (await response.json()) as { items?: { sensorId: string }[] };
      return items?.length === sensors ? items.map(({ sensorId }) => sensorId) : null;
    },
    500,
  );
}

function shares<T>(items: readonly T[], count: number): T[][] {
  return Array.from({ length: count }, (_, share) => items.filter((_item, i) => i % count === share));
}

async function subscribe(apiPort: number, sensorIds: readonly string[], arrivals: Arrivals): Promise<WebSocket> {
  const socket = new WebSocket(`ws://${LOOPBACK}:${apiPort}/`);
  socket.on("message", (frame: Buffer) => arrivals.receive(frame.toString()));
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  for (const sensorId of sensorIds) socket.send(JSON.stringify({ action: "subscribe", sensorId }));
  return socket;
}

/**
 * Measures each hop. Its times come from the bridge (receipt of a message, in a header), the broker (timestamp of input
 * records), and the processor (timestamp of its outputs).
 */
async function measureHops(kafka: Kafka, arrivals: Arrivals, seconds: number): Promise<Record<string, Distribution>> {
  const inputs = new Map<string, { readonly receivedAt: number; readonly appendedAt: number }>();
  const outputs = new Map<string, { readonly source: string; readonly sentAt: number }>();
  const consumers = [
    await follow(kafka, topics.imuData.name, "end", ({ partition, offset, timestamp, headers: received }) =>
      inputs.set(`${partition}/${offset}`, { receivedAt: Number(received[headers.ingestMs]), appendedAt: timestamp }),
    ),
    await follow(kafka, topics.transformed.name, "end", ({ timestamp, value, headers: received }) => {
      const { id } = readRecord(topics.transformed.name, received[headers.contentType], value!).data;
      outputs.set(id, { source: id.split("/").slice(1, 3).join("/"), sentAt: timestamp });
    }),
  ];
  arrivals.begin();
  await sleep(seconds * 1_000);
  const arrived = arrivals.end();
  await sleep(1_000); // Consumers of committed records get them later than live's clients.
  await Promise.all(consumers.map((consumer) => consumer.disconnect()));
  const hops: Record<string, number[]> = {
    "device to bridge": [],
    "bridge to Kafka": [],
    "Kafka to processor's output": [],
    "output to WebSocket": [],
  };
  for (const { id, newest, receivedAt } of arrived) {
    const output = outputs.get(id);
    const input = output && inputs.get(output.source);
    if (!input) continue;
    hops["device to bridge"]!.push(input.receivedAt - newest);
    hops["bridge to Kafka"]!.push(input.appendedAt - input.receivedAt);
    hops["Kafka to processor's output"]!.push(output.sentAt - input.appendedAt);
    hops["output to WebSocket"]!.push(receivedAt - output.sentAt);
  }
  return Object.fromEntries(Object.entries(hops).map(([name, values]) => [name, distribution(values)]));
}

function distribution(values: readonly number[]): Distribution {
  return { p50: percentile(values, 0.5), p99: percentile(values, 0.99) };
}
