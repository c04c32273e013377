import { connect, type MqttClient } from "mqtt";
import type { Logger } from "../adapters/log.ts";
import type { Metrics } from "../adapters/metrics.ts";
import { rejectedTopic, type RejectedNotice } from "../domain/imu.ts";

/** What devices hear of messages that were refused: counted, and logged once for each code. */
export function listenForRejected(
  url: string,
  clientId: string,
  sensors: ReadonlySet<string>,
  { metrics, logger }: { readonly metrics: Metrics; readonly logger: Logger },
): MqttClient {
  const client = connect(url, { protocolVersion: 5, clientId, clean: true });
  // A new session has no subscription. The publishers' connections say when the broker can't be reached.
  client.on("connect", () => client.subscribe(rejectedTopic("+"), { qos: 0 }));
  client.on("error", () => undefined);
  const seen = new Set<string>();
  client.on("message", (topic, payload) => {
    const sensorId = topic.slice(rejectedTopic("").length);
    if (!sensors.has(sensorId)) return;
    metrics.add("simulator.rejected");
    const notice = JSON.parse(payload.toString("utf8")) as RejectedNotice;
    if (seen.has(notice.code)) return;
    seen.add(notice.code);
    logger.warn({ sensorId, ...notice }, "a message was refused: others with this code are counted");
  });
  return client;
}
