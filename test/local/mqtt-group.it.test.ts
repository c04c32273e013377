import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, jest, test } from "@jest/globals";
import mqtt, { type MqttClient } from "mqtt";
import { MQTT_SUBSCRIPTION } from "../../domain/imu.ts";
import { MQTT_SHARE_GROUP } from "../../domain/names.ts";
import { startServers, type Servers } from "../../local/servers/index.ts";
import { eventually } from "../support/eventually.ts";

jest.setTimeout(240_000);

const SUBSCRIPTION = `$share/${MQTT_SHARE_GROUP}/${MQTT_SUBSCRIPTION}`;
/** Without the broker's own class, one in some forty members that die while they subscribe takes the queue with it. */
const DEATHS = 300;
let folder: string;
let servers: Servers;
let device: MqttClient;
const members: MqttClient[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-group-"));
  servers = await startServers({ which: ["mqtt"], dataDir: folder });
  device = await mqtt.connectAsync(servers.mqttUrl, { protocolVersion: 5 });
});

afterAll(async () => {
  await device?.endAsync();
  await servers?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

afterEach(async () => {
  for (const member of members.splice(0)) await member.endAsync(true);
});

/** A member of the bridge's group, and the payloads that it has received. */
async function enter(clientId: string, sessionExpiryInterval: number): Promise<{ client: MqttClient; got: string[] }> {
  const client = mqtt.connect(servers.mqttUrl, {
    protocolVersion: 5,
    clientId,
    clean: false,
    reconnectPeriod: 0,
    properties: { sessionExpiryInterval },
  });
  members.push(client);
  client.on("error", () => undefined);
  const got: string[] = [];
  client.on("message", (_topic, payload) => got.push(payload.toString()));
  await eventually(() => client.connected, { until: (is) => is });
  return { client, got };
}

const isOfDeath = (payload: string): boolean => payload.startsWith("death");

async function publish(name: string, count: number): Promise<string[]> {
  const payloads = Array.from({ length: count }, (_, i) => `${name} ${i}`);
  await Promise.all(payloads.map((payload) => device.publishAsync("imu/s1", payload, { qos: 1 })));
  return payloads;
}

test("messages wait for the group while no member is there and the session of one of them ends", async () => {
  const stays = await enter("stays", 900);
  await stays.client.subscribeAsync(SUBSCRIPTION, { qos: 1 });
  const leaves = await enter("leaves", 0);
  await leaves.client.subscribeAsync(SUBSCRIPTION, { qos: 1 });
  await stays.client.endAsync();
  await leaves.client.endAsync();
  const published = await publish("alone", 10);
  const back = await enter("stays", 900);
  await eventually(() => expect(back.got.toSorted()).toEqual(published));
});

test("a member that dies while it subscribes takes no other member's messages with it", async () => {
  const holder = await enter("holder", 900);
  await holder.client.subscribeAsync(SUBSCRIPTION, { qos: 1 });
  const published: string[] = [];
  for (let i = 0; i < DEATHS; i++) {
    const { client } = await enter("dies", 900);
    client.subscribe(SUBSCRIPTION, { qos: 1 });
    if (i % 3 > 0) await new Promise((resolve) => setTimeout(resolve, i % 3));
    (client.stream as unknown as Socket).resetAndDestroy();
    client.end(true);
    published.push(...(await publish(`death ${i}`, 5)));
    // What the dying member may have received goes back to the queue, and so does what the test before left there.
    await eventually(() => expect(new Set(holder.got.filter(isOfDeath))).toEqual(new Set(published)));
  }
});
