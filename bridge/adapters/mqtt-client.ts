import { iot, mqtt5 } from "aws-iot-device-sdk-v2";

/** How to reach the MQTT broker. */
export interface Broker {
  /** `mqtt://host:port`, or `wss://host` for IoT Core with the credentials of the environment. */
  readonly url: string;
  readonly region: string;
}

const KEEP_ALIVE_SECONDS = 30;

/** The configuration of an MQTT 5 client, which connects again after each loss of its connection. */
export function clientConfig(
  { url, region }: Broker,
  options: Omit<mqtt5.ConnectPacket, "keepAliveIntervalSeconds"> & { readonly clientId: string },
): mqtt5.Mqtt5ClientConfig {
  const { protocol, hostname, port, username, password } = new URL(url);
  const connect: mqtt5.ConnectPacket = {
    ...options,
    keepAliveIntervalSeconds: KEEP_ALIVE_SECONDS,
    ...(username
      ? { username: decodeURIComponent(username), password: Buffer.from(decodeURIComponent(password)) }
      : {}),
  };
  const config: mqtt5.Mqtt5ClientConfig =
    protocol === "wss:"
      ? iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithSigv4Auth(hostname, { region })
          .withConnectProperties(connect)
          .build()
      : { hostName: hostname, port: port === "" ? 1883 : Number(port), connectProperties: connect };
  return {
    ...config,
    // A request of a lost connection must fail, as the next connection makes its own.
    offlineQueueBehavior: mqtt5.ClientOperationQueueBehavior.FailAllOnDisconnect,
    retryJitterMode: mqtt5.RetryJitterType.Full,
    minReconnectDelayMs: 100,
    maxReconnectDelayMs: 2_000,
    minConnectedTimeToResetReconnectDelayMs: 5_000,
    connackTimeoutMs: 10_000,
    pingTimeoutMs: 10_000,
  };
}
