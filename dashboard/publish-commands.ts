/** Commands of the first run, for a shell. */
import type { Mqtt } from "./client.ts";

/** The client that connects: to a broker by its address, or to the account's IoT Core by the device's certificate. */
function connection({ url }: Mqtt, sensorId: string): { readonly before: string; readonly options: string } {
  if (url !== null) {
    const { hostname, port } = new URL(url);
    return { before: "", options: `-h ${hostname} -p ${port || "1883"}` };
  }
  return {
    before:
      "endpoint=$(aws iot describe-endpoint --endpoint-type iot:Data-ATS --query endpointAddress --output text)\n",
    options: `-h "$endpoint" -p 8883 --cafile AmazonRootCA1.pem --cert device.pem --key device.key -i ${sensorId}`,
  };
}

function prefixed({ prefix }: Mqtt, topic: string): string {
  return prefix === null ? topic : `${prefix}/${topic}`;
}

/** Publishes one reading that is taken now. */
export function publishCommand(mqtt: Mqtt, sensorId: string): string {
  const { before, options } = connection(mqtt, sensorId);
  const message = '{\\"seq\\": 0, \\"boot\\": \\"$now\\", \\"t\\": [$now], \\"samples\\": [[0.1, 0.2, 9.8, 0, 0, 0]]}';
  const topic = prefixed(mqtt, `imu/${sensorId}`);
  return `${before}now=$(date +%s000)\nmosquitto_pub -V mqttv5 ${options} -q 1 -t ${topic} -m "${message}"`;
}

/** Shows why messages are refused, until it is ended. */
export function refusalsCommand(mqtt: Mqtt, sensorId: string): string {
  const { before, options } = connection(mqtt, sensorId);
  return `${before}mosquitto_sub -V mqttv5 ${options} -t ${prefixed(mqtt, `rejected/${sensorId}`)}`;
}
