import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../adapters/log.ts";
import type { Metrics } from "../adapters/metrics.ts";
import { sampleTimes, type ImuMessage } from "../domain/imu-message.ts";
import { MQTT_TOPIC_PREFIX } from "../domain/imu.ts";
import { encodePackedImu } from "../domain/packed-imu.ts";
import { contentTypes } from "../domain/topics.ts";
import { damaged, type Faults } from "./faults.ts";
import { Feed, type Device, type DeviceDelivery } from "./feed.ts";
import type { PlannedMessage } from "./plan.ts";
import { Publisher } from "./publisher.ts";
import type { Report } from "./report.ts";
import type { Schedule } from "./schedule.ts";

export interface SimulationOptions {
  readonly devices: readonly Device[];
  readonly connections: number;
  readonly faults: Faults;
  readonly format: "json" | "packed";
  readonly schedule: Schedule;
  /** Boot id of all devices. It differs for each run, because sequence numbers start again. */
  readonly boot: string;
  readonly mqttUrl: string;
  readonly metrics: Metrics;
  readonly report: Report;
  readonly logger: Logger;
}

/** Unacknowledged messages per connection. This bounds the memory when the broker is slow. */
const MAX_IN_FLIGHT = 50;
const CLOSE_LIMIT_MS = 5_000;

/** Publishes each device's messages when they are due. Ends when all are acknowledged, or when `stop` is aborted. */
export async function simulate(options: SimulationOptions, stop: AbortSignal): Promise<void> {
  const { devices, connections, mqttUrl, boot, logger, metrics } = options;
  const publishers = Array.from(
    { length: connections },
    (_, n) =>
      new Publisher({ url: mqttUrl, clientId: `millrace-simulator-${boot}-${n}`, maxInFlight: MAX_IN_FLIGHT, logger }),
  );
  const inFlight = (): number => publishers.reduce((sum, publisher) => sum + publisher.inFlight, 0);
  const gauge = setInterval(() => metrics.set("simulator.in-flight", inFlight()), 1_000);
  await Promise.all(
    publishers.map(async (publisher, n) => {
      const ownDevices = devices.filter((_, i) => i % connections === n);
      await publishAll(new Feed(ownDevices, options.faults), publisher, options, stop);
      await publisher.close(stop.aborted ? CLOSE_LIMIT_MS : Infinity);
    }),
  );
  clearInterval(gauge);
}

async function publishAll(
  feed: Feed,
  publisher: Publisher,
  options: SimulationOptions,
  stop: AbortSignal,
): Promise<void> {
  const { schedule, metrics, report, format } = options;
  for (let delivery = feed.next(); delivery && !stop.aborted; delivery = feed.next()) {
    const dueAt = schedule.dueAt(delivery.dueMs);
    const waitMs = Math.ceil(dueAt - Date.now());
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: stop }).catch(() => undefined);
    await publisher.ready();
    if (stop.aborted) return;
    metrics.time("simulator.behind", Math.max(0, Date.now() - dueAt));
    if (delivery.disconnectBefore) publisher.cut();
    const sent = delivery;
    const message = toImuMessage(sent.message, schedule, options.boot);
    const publishedAt = performance.now();
    publisher.publish(
      `${MQTT_TOPIC_PREFIX}${sent.device.sensorId}`,
      encode(message, sent, format),
      format === "packed" ? contentTypes.imuPacked : contentTypes.json,
      () => {
        report.count(sent, sampleTimes(message));
        metrics.add("simulator.messages");
        if (sent.kind === "original" || sent.kind === "late") metrics.add("simulator.readings", message.samples.length);
        metrics.time("simulator.publish-latency", performance.now() - publishedAt);
      },
    );
  }
}

/** The message, with event times instead of times since the start. */
export function toImuMessage({ seq, t, hz, samples }: PlannedMessage, schedule: Schedule, boot: string): ImuMessage {
  if (typeof t === "number") return { seq, boot, t: schedule.eventTime(t), hz: hz!, samples };
  return { seq, boot, t: t.map((time) => schedule.eventTime(time)), samples };
}

function encode(message: ImuMessage, { damage }: DeviceDelivery, format: "json" | "packed"): Uint8Array {
  const payload = format === "packed" ? encodePackedImu(message) : Buffer.from(JSON.stringify(message));
  return damage ? damaged(payload, damage, format) : payload;
}
