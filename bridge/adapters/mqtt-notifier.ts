import { setTimeout as sleep } from "node:timers/promises";
import { mqtt5 } from "aws-iot-device-sdk-v2";
import type { Logger } from "../../adapters/log.ts";
import { clientConfig, type Broker } from "./mqtt-client.ts";

const STOP_LIMIT_MS = 3_000;

/** An MQTT 5 connection that publishes with QoS 0: what can't be sent at once is lost. */
export class MqttNotifier {
  readonly #client: mqtt5.Mqtt5Client;
  #connected = false;

  constructor({ clientId, logger, ...broker }: Broker & { readonly clientId: string; readonly logger: Logger }) {
    this.#client = new mqtt5.Mqtt5Client(clientConfig(broker, { clientId }));
    this.#client.on("connectionSuccess", () => (this.#connected = true));
    this.#client.on("disconnection", ({ error }) => {
      this.#connected = false;
      logger.warn({ err: error, clientId }, "lost the connection for notices to the MQTT broker");
    });
    this.#client.on("error", (error) => logger.error({ err: error, clientId }, "MQTT client error"));
    this.#client.start();
  }

  /** Whether the message was handed to a connection. */
  publish(topicName: string, payload: string): boolean {
    if (!this.#connected) return false;
    const message = { topicName, payload, qos: mqtt5.QoS.AtMostOnce, contentType: "application/json" };
    this.#client.publish(message).catch(() => undefined);
    return true;
  }

  async stop(): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#client.once("stopped", () => resolve()));
    this.#client.stop();
    await Promise.race([stopped, sleep(STOP_LIMIT_MS, undefined, { ref: false })]);
    this.#client.close();
  }
}
