import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { connect, type MqttClient } from "mqtt";
import { MQTT_SUBSCRIPTION } from "../../../domain/imu.ts";
import { MQTT_SHARE_GROUP } from "../../../domain/names.ts";
import { eventually } from "../../support/eventually.ts";
import type { BridgeProcess } from "./bridge-process.ts";

const SUBSCRIPTION = `$share/${MQTT_SHARE_GROUP}/${MQTT_SUBSCRIPTION}`;
const LONG_EXPIRY_S = 900;

/** What a fault has to work with. */
export interface Stage {
  readonly mqttUrl: string;
  readonly bridge: BridgeProcess;
  /** Milliseconds from 0 to below `limit`. */
  readonly pauseMs: (limit: number) => number;
}

/** The ways to lose a member of the group. Each leaves one bridge running. */
export const faults = {
  /** The bridge dies, and its successor starts at once. */
  kill: async ({ bridge }) => {
    await bridge.kill();
    bridge.start();
  },
  /** The successor takes the sessions while the connections of its frozen predecessor are open. */
  takeover: async ({ bridge, pauseMs }) => {
    const frozen = bridge.freeze();
    bridge.start();
    await delay(pauseMs(3_000));
    await frozen.kill();
  },
  /** Two processes with the same client ids take the sessions from each other, until one dies. */
  overlap: async ({ bridge, pauseMs }) => {
    const old = bridge.release();
    bridge.start();
    await delay(pauseMs(2_000));
    await old.kill();
  },
  /** Another member of the group dies while it subscribes for the first time. */
  "member-subscribing": async ({ mqttUrl, pauseMs }) => {
    const member = join(mqttUrl, `first-${Date.now()}`, LONG_EXPIRY_S);
    await connected(member);
    member.subscribe(SUBSCRIPTION, { qos: 1 });
    await delay(pauseMs(3));
    cutOff(member);
  },
  /** Another member subscribes again while it holds unacknowledged messages, and dies. */
  "member-resubscribing": async ({ mqttUrl, pauseMs }) => {
    const member = join(mqttUrl, "again", LONG_EXPIRY_S);
    await connected(member);
    member.subscribe(SUBSCRIPTION, { qos: 1 });
    await delay(pauseMs(300));
    member.subscribe(SUBSCRIPTION, { qos: 1 });
    await delay(pauseMs(3));
    cutOff(member);
  },
  /** The session of a member ends while no member of the group is there. */
  "member-expired": async ({ mqttUrl, bridge, pauseMs }) => {
    const member = join(mqttUrl, `expired-${Date.now()}`, 1);
    await connected(member);
    member.subscribe(SUBSCRIPTION, { qos: 1 });
    await delay(pauseMs(300));
    await bridge.kill();
    cutOff(member);
    await delay(1_500 + pauseMs(1_500));
    bridge.start();
  },
} as const satisfies Record<string, (stage: Stage) => Promise<void>>;

export type FaultName = keyof typeof faults;

/** A member that acknowledges nothing. */
function join(url: string, clientId: string, sessionExpiryInterval: number): MqttClient {
  const member = connect(url, {
    protocolVersion: 5,
    clientId,
    clean: false,
    // A member that acknowledges nothing is stuck when a message overtakes CONNACK: it connects anew.
    connectTimeout: 2_000,
    reconnectPeriod: 100,
    properties: { sessionExpiryInterval, receiveMaximum: 100 },
    customHandleAcks: () => undefined,
  });
  member.on("error", () => undefined);
  return member;
}

async function connected(member: MqttClient): Promise<void> {
  await eventually(() => member.connected, { until: (is) => is });
}

/** Closes the connection as the death of a process does: by a reset, without DISCONNECT. */
function cutOff(member: MqttClient): void {
  (member.stream as unknown as Socket).resetAndDestroy();
  member.end(true);
}
