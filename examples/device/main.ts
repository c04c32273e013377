// A device: publishes a second of readings, and shows the message that Millrace refused.
//   npm start -- --no-simulator
//   node examples/device/main.ts [SENSOR [HOST [PORT]]]
// Against AWS IoT Core: DEVICE_CERT=… DEVICE_KEY=… node examples/device/main.ts SENSOR ENDPOINT
import { setTimeout as delay } from "node:timers/promises";
import { iot, mqtt5 } from "aws-iot-device-sdk-v2";

const [sensor = "my-device", hostName = "127.0.0.1", port = "1883"] = process.argv.slice(2);
const { DEVICE_CERT: cert, DEVICE_KEY: key, MQTT_PREFIX: prefix = "" } = process.env;
const connectProperties = { clientId: sensor, keepAliveIntervalSeconds: 30 };
const settings =
  cert && key
    ? iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(hostName, cert, key)
        .withConnectProperties(connectProperties)
        .build()
    : { hostName, port: Number(port), connectProperties };
const client = new mqtt5.Mqtt5Client(settings);
const refused = new Promise((resolve) => {
  client.on("messageReceived", ({ message }) => resolve(new TextDecoder().decode(message.payload as ArrayBuffer)));
});
const connected = new Promise((resolve, reject) => {
  client.on("connectionSuccess", resolve);
  client.on("connectionFailure", ({ error }) => reject(error));
});
client.start();
await connected;
const qos = mqtt5.QoS.AtLeastOnce;
await client.subscribe({ subscriptions: [{ topicFilter: `${prefix}rejected/${sensor}`, qos: mqtt5.QoS.AtMostOnce }] });

// Resolves with the acknowledgement: from then on Millrace has the message, whatever happens.
const publish = (message: object): Promise<unknown> =>
  client.publish({
    topicName: `${prefix}imu/${sensor}`,
    qos,
    contentType: "application/json",
    payload: JSON.stringify(message),
  });
const boot = Date.now().toString(36);

// In thousandths of g, where m/s² are expected.
await publish({ seq: 0, boot, t: Date.now(), hz: 100, samples: [[0, 0, 1000, 0, 0, 0]] });
console.log("refused:", await refused);

for (let seq = 1; seq <= 10; seq++) {
  const t = Date.now();
  const samples = Array.from({ length: 10 }, (_, i) => [Math.sin((t + i * 10) / 160), 0, 9.81, 0, 0, 0.5]);
  await publish({ seq, boot, t, hz: 100, samples });
  await delay(100);
}
console.log("published: 10 messages");
const stopped = new Promise((resolve) => client.on("stopped", resolve));
client.stop();
await stopped;
// The SDK's threads would keep the process.
process.exit();
