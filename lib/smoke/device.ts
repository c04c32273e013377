import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { iot, mqtt5 } from "aws-iot-device-sdk-v2";
import { mqttTopic } from "../../domain/imu.ts";
import type { Deployment, IotEndpoint } from "./deployment.ts";

/** Messages that a smoke test publishes: a second of readings. */
export const MESSAGES = 10;
const MESSAGE_MS = 100;
const RATE_HZ = 100;
/** How long IoT Core may refuse a connection: a certificate that was just made is not known everywhere at once. */
const CONNECT_LIMIT_MS = 30_000;

/** A device with a certificate of its own. */
export interface Device {
  readonly sensorId: string;
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly privateKey: string;
}

/**
 * Publishes a second of readings as a device does, with the device's certificate.
 *
 * @returns When IoT Core acknowledged the last message, epoch ms
 */
export async function publishReadings(
  { config, iotEndpoint }: Pick<Deployment, "config" | "iotEndpoint">,
  device: Device,
): Promise<number> {
  return await connected(iotEndpoint, device.sensorId, device, async (client) => {
    const boot = randomUUID();
    for (let seq = 0; seq < MESSAGES; seq++) {
      await client.publish({
        topicName: mqttTopic(config.mqttPrefix, `imu/${device.sensorId}`),
        qos: mqtt5.QoS.AtLeastOnce,
        contentType: "application/json",
        payload: JSON.stringify(message(boot, seq, Date.now())),
      });
      await sleep(MESSAGE_MS);
    }
    return Date.now();
  });
}

/**
 * Connects to IoT Core with a certificate, does something and disconnects. A client that was refused keeps the process
 * alive, closed or not: https://github.com/awslabs/aws-crt-nodejs/issues/600
 *
 * @throws Error with the last refusal when there is no connection in time
 */
export async function connected<T>(
  { host, port, authority }: IotEndpoint,
  clientId: string,
  { certificate, privateKey }: Pick<Device, "certificate" | "privateKey">,
  act: (client: mqtt5.Mqtt5Client) => Promise<T>,
  limitMs = CONNECT_LIMIT_MS,
): Promise<T> {
  const settings = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromMemory(
    host,
    certificate,
    privateKey,
  ).withConnectProperties({ clientId, keepAliveIntervalSeconds: 30 });
  if (port !== undefined) settings.withPort(port);
  if (authority !== undefined) settings.withCertificateAuthority(authority);
  const client = new mqtt5.Mqtt5Client(settings.build());
  try {
    await connection(client, limitMs);
    return await act(client);
  } finally {
    const stopped = new Promise((resolve) => client.once("stopped", resolve));
    client.stop();
    await stopped;
    client.close();
  }
}

/** Starts a client, which connects again until it is let in. */
function connection(client: mqtt5.Mqtt5Client, limitMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let refusal = "no answer";
    const fail = (): void => reject(new Error(`no connection to IoT Core within ${limitMs} ms: ${refusal}`));
    const timer = setTimeout(fail, limitMs);
    client.on("connectionFailure", ({ error }) => (refusal = error.error_name ?? "no reason"));
    client.once("connectionSuccess", () => {
      clearTimeout(timer);
      resolve();
    });
    client.start();
  });
}

/** A sensor that lies still. */
function message(boot: string, seq: number, t: number): Record<string, unknown> {
  const samples = Array.from({ length: (RATE_HZ * MESSAGE_MS) / 1_000 }, () => [0, 0, 9.81, 0, 0, 0]);
  return { seq, boot, t, hz: RATE_HZ, samples };
}
