import { setTimeout as sleep } from "node:timers/promises";
import { iot, mqtt5 } from "aws-iot-device-sdk-v2";
import { mqttTopic } from "../../domain/imu.ts";
import type { Deployment } from "./deployment.ts";

const MESSAGES = 10;
const MESSAGE_MS = 100;
const RATE_HZ = 100;

/**
 * Publishes a second of readings as a device would, with the caller's IAM rights.
 *
 * @returns When IoT Core acknowledged the last message, epoch ms
 */
export async function publishReadings({ config, iotEndpoint }: Deployment, sensorId: string): Promise<number> {
  const settings = iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithSigv4Auth(iotEndpoint, {
    region: config.region,
  })
    .withConnectProperties({ clientId: sensorId, keepAliveIntervalSeconds: 30 })
    .build();
  const client = new mqtt5.Mqtt5Client(settings);
  const connected = connection(client);
  client.start();
  try {
    await connected;
    for (let seq = 0; seq < MESSAGES; seq++) {
      await client.publish({
        topicName: mqttTopic(config.mqttPrefix, `imu/${sensorId}`),
        qos: mqtt5.QoS.AtLeastOnce,
        contentType: "application/json",
        payload: JSON.stringify(message(seq, Date.now())),
      });
      await sleep(MESSAGE_MS);
    }
    return Date.now();
  } finally {
    client.stop();
  }
}

function connection(client: mqtt5.Mqtt5Client): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once("connectionSuccess", () => resolve());
    client.once("connectionFailure", ({ error }) =>
      reject(new Error(`IoT Core refused the connection: ${String(error)}`)),
    );
  });
}

/** A sensor that lies still. */
function message(seq: number, t: number): Record<string, unknown> {
  const samples = Array.from({ length: (RATE_HZ * MESSAGE_MS) / 1_000 }, () => [0, 0, 9.81, 0, 0, 0]);
  return { seq, boot: "smoke", t, hz: RATE_HZ, samples };
}
