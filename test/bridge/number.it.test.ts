import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { connect, type IConnackPacket } from "mqtt";
import { createTopics } from "../../adapters/kafka-topics.ts";
import { pickFreePorts } from "../../local/processes/ports.ts";
import { startServers, type Servers } from "../../local/servers/index.ts";
import { Ledger } from "../chaos/bridge/ledger.ts";
import { eventually } from "../support/eventually.ts";
import { startProgram, testKafka, type Program } from "./harness.ts";

jest.setTimeout(240_000);

const MESSAGES_PER_SECOND = 400;
const SETTLE_LIMIT_MS = 60_000;
let folder: string;
let servers: Servers;
let ledger: Ledger;
const running = new Map<number, Program>();

/** Starts the n-th bridge as the stack does: the first connection of the first one alone stays in the group. */
async function startBridge(n: number, clients: number): Promise<void> {
  const [port] = await pickFreePorts(1);
  const settings = {
    KAFKA_BROKERS: servers.kafkaBrokers,
    MQTT_URL: servers.mqttUrl,
    MQTT_CLIENT_ID: `bridge-${n}`,
    MQTT_CLIENTS: String(clients),
    MQTT_SESSIONS_KEPT: n === 0 ? "1" : "0",
    HEALTH_PORT: String(port),
  };
  running.set(n, startProgram("bridge/main.ts", [], settings, join(folder, "bridge.log")));
  const health = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${port}/health`);
    return ((await answer.json()) as { readonly status: string }).status;
  };
  await eventually(health, { until: (status) => status === "ok", limitMs: 60_000 });
}

async function stopBridge(n: number): Promise<void> {
  await running.get(n)!.end("SIGTERM");
  running.delete(n);
}

async function arrived(count: number): Promise<void> {
  const before = ledger.acknowledged;
  await eventually(() => expect(ledger.acknowledged).toBeGreaterThanOrEqual(before + count), { limitMs: 60_000 });
}

/** Whether the broker has a session of the client. Asking ends it. */
async function hasSession(clientId: string): Promise<boolean> {
  const client = connect(servers.mqttUrl, { protocolVersion: 5, clientId, clean: false, reconnectPeriod: 0 });
  const { sessionPresent } = await new Promise<IConnackPacket>((resolve, reject) => {
    client.once("connect", resolve);
    client.once("error", reject);
  });
  await client.endAsync(true);
  return sessionPresent;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-number-"));
  servers = await startServers({ which: ["kafka", "mqtt"], dataDir: folder });
  const kafka = testKafka(servers.kafkaBrokers);
  const admin = kafka.admin();
  await admin.connect();
  await createTopics(admin);
  await admin.disconnect();
  await startBridge(0, 2);
  ledger = await Ledger.open(servers.mqttUrl, kafka, MESSAGES_PER_SECOND);
});

/** Sessions that the bridges have ended when they stopped, in the order of the stops. */
function ended(): (readonly string[])[] {
  return readFileSync(join(folder, "bridge.log"), "utf8")
    .split("\n")
    .filter((line) => line.includes('"msg":"stopped"'))
    .map((line) => (JSON.parse(line) as { readonly ended: string[] }).ended);
}

afterAll(async () => {
  await ledger?.close();
  await Promise.all([...running.keys()].map(stopBridge));
  await servers?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

test("bridges and connections become more and fewer under load, and every acknowledged message arrives", async () => {
  await Promise.all([startBridge(1, 3), startBridge(2, 2)]);
  await arrived(1_000);
  await stopBridge(2);
  await arrived(500);
  await stopBridge(1);
  await arrived(500);
  await stopBridge(0);
  expect(ended()).toEqual([["bridge-2-0", "bridge-2-1"], ["bridge-1-0", "bridge-1-1", "bridge-1-2"], ["bridge-0-1"]]);
  await startBridge(0, 1);
  await startBridge(1, 2);
  await arrived(500);

  // As a deployment does: all at once, so that messages wait for the group.
  await Promise.all([stopBridge(0), stopBridge(1)]);
  await arrived(500);
  await Promise.all([startBridge(0, 2), startBridge(1, 1)]);
  await arrived(1_500);
  await ledger.stopPublishing();
  expect(await ledger.settle(SETTLE_LIMIT_MS)).toEqual([]);
  expect(ledger.acknowledged).toBeGreaterThan(3_500);
  await Promise.all([stopBridge(0), stopBridge(1)]);
  expect(await hasSession("bridge-0-0")).toBe(true);
});
