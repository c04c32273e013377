import { setTimeout as sleep } from "node:timers/promises";
import { iot, mqtt5, type ICrtError } from "aws-iot-device-sdk-v2";
import type { Logger } from "../../adapters/log.ts";
import type { Publish } from "../to-record.ts";

export interface MqttReceiverOptions {
  /** `mqtt://host:port`, or `wss://host` for IoT Core with the credentials of the environment. */
  readonly url: string;
  readonly region: string;
  readonly clients: number;
  /** Client ids are `<clientId>-<n>`: stable, so that a new process takes over the sessions of the one before. */
  readonly clientId: string;
  readonly subscription: string;
  /** Called for each message; `acknowledge` sends its PUBACK, or does nothing when that connection is gone. */
  readonly onMessage: (client: string, publish: Publish, acknowledge: () => void) => void;
  /** Called when a connection came back to its session: the broker sends again what was not acknowledged. */
  readonly onSessionResumed: (client: string) => void;
  readonly logger: Logger;
}

/** IoT Core leaves no more than 100 messages unacknowledged; this is what bounds the bridge's memory. */
export const RECEIVE_MAXIMUM = 100;
const SESSION_EXPIRY_SECONDS = 15 * 60;
const KEEP_ALIVE_SECONDS = 30;
const SUBSCRIBE_RETRY_MS = 1_000;
/** A message that waits in a session is delivered at once when the session goes on. */
const PROOF_MS = 1_000;
const STOP_LIMIT_MS = 3_000;
/** MQTT 5 reason codes from here on are errors (section 2.4). */
const FAILED = 0x80;

/** MQTT 5 connections that share one subscription and acknowledge only what they are told to. */
export class MqttReceiver {
  readonly #options: MqttReceiverOptions;
  readonly #clients: mqtt5.Mqtt5Client[] = [];
  readonly #subscribed = new Set<string>();
  #turn: Promise<void> = Promise.resolve();
  readonly #firstSubscription = Promise.withResolvers<void>();

  constructor(options: MqttReceiverOptions) {
    this.#options = options;
  }

  /** Connections that are up and subscribed. */
  get subscribed(): number {
    return this.#subscribed.size;
  }

  /** Resolves when the broker has the subscription for the first time: from then on it keeps what is published. */
  get firstSubscription(): Promise<void> {
    return this.#firstSubscription.promise;
  }

  /** Connects, and reconnects whenever a connection is lost, until `stop`. */
  start(): void {
    for (let n = 0; n < this.#options.clients; n++) {
      const client = this.#create(`${this.#options.clientId}-${n}`);
      this.#clients.push(client);
      client.start();
    }
  }

  /** Disconnects; the broker keeps the sessions for the next process. */
  async stop(): Promise<void> {
    const stopped = this.#clients.map(
      (client) => new Promise<void>((resolve) => client.once("stopped", () => resolve())),
    );
    for (const client of this.#clients) client.stop();
    await Promise.race([Promise.all(stopped), sleep(STOP_LIMIT_MS, undefined, { ref: false })]);
    for (const client of this.#clients) client.close();
    this.#subscribed.clear();
  }

  #create(clientId: string): mqtt5.Mqtt5Client {
    const { logger } = this.#options;
    const client = new mqtt5.Mqtt5Client(clientConfig(this.#options, clientId));
    let connection = 0;
    let everSubscribed = false;
    const markSubscribed = (): void => {
      everSubscribed = true;
      this.#subscribed.add(clientId);
      this.#firstSubscription.resolve();
    };
    client.on("messageReceived", ({ message, acknowledgementControl }) => {
      // The handle has to be taken within this call; otherwise the client acknowledges by itself.
      const handle = acknowledgementControl?.acquireHandle();
      if (!this.#subscribed.has(clientId)) markSubscribed();
      this.#options.onMessage(clientId, toPublish(message), () => handle?.invokeAcknowledgement());
    });
    client.on("connectionSuccess", ({ connack }) => {
      logger.info({ clientId, sessionPresent: connack.sessionPresent }, "connected to the MQTT broker");
      const current = ++connection;
      if (connack.sessionPresent) this.#options.onSessionResumed(clientId);
      if (connack.sessionPresent && everSubscribed) markSubscribed();
      else
        void this.#subscribe(
          client,
          connack.sessionPresent,
          () => connection === current && !this.#subscribed.has(clientId),
        ).then((done) => (done ? markSubscribed() : undefined));
    });
    client.on("disconnection", ({ error, disconnect }) => {
      connection++;
      this.#subscribed.delete(clientId);
      logger.warn(
        { clientId, reason: disconnect?.reasonString ?? disconnect?.reasonCode, error: describe(error) },
        "lost the connection to the MQTT broker",
      );
    });
    client.on("connectionFailure", ({ error, connack }) =>
      logger.warn(
        { clientId, reason: connack?.reasonString ?? connack?.reasonCode, error: describe(error) },
        "cannot connect to the MQTT broker",
      ),
    );
    client.on("error", (error) => logger.error({ clientId, error: describe(error) }, "MQTT client error"));
    return client;
  }

  /**
   * Subscribes, as long as that is needed; true when the broker has confirmed it.
   *
   * A session that an earlier process left has the subscription, unless that one died before it subscribed. A message
   * that arrives is the proof; only without one is it subscribed to again. Artemis would otherwise take away what is
   * under way, and when the acknowledgements for that come it forgets to send on what waits. Artemis also refuses two
   * that create a group at the same moment, so the clients take turns.
   */
  async #subscribe(client: mqtt5.Mqtt5Client, sessionPresent: boolean, isNeeded: () => boolean): Promise<boolean> {
    const { subscription, logger } = this.#options;
    if (sessionPresent) await sleep(PROOF_MS);
    while (isNeeded()) {
      const before = this.#turn;
      const turn = Promise.withResolvers<void>();
      this.#turn = turn.promise;
      try {
        await before;
        if (!isNeeded()) return false;
        const { reasonCodes, reasonString } = await client.subscribe({
          subscriptions: [{ topicFilter: subscription, qos: mqtt5.QoS.AtLeastOnce }],
        });
        if ((reasonCodes[0] ?? FAILED) < FAILED) return isNeeded();
        logger.error(
          { subscription, reasonCode: reasonCodes[0], reason: reasonString },
          "the MQTT broker refuses the subscription",
        );
      } catch (error) {
        logger.warn({ subscription, error: (error as Error).message }, "subscribing failed");
      } finally {
        turn.resolve();
      }
      await sleep(SUBSCRIBE_RETRY_MS);
    }
    return false;
  }
}

/** CRT errors are JavaScript errors, which its types don't say. */
function describe(error: ICrtError): string {
  return error instanceof Error ? error.message : (error.error_name ?? "unknown error");
}

function toPublish(message: mqtt5.PublishPacket): Publish {
  // The client gives a detached buffer, which nothing can be made of, for an empty payload.
  const payload = message.payload as ArrayBuffer | undefined;
  return {
    topic: message.topicName,
    payload: payload && payload.byteLength > 0 ? Buffer.from(payload) : Buffer.alloc(0),
    contentType: message.contentType,
    userProperties: message.userProperties ?? [],
  };
}

function clientConfig({ url, region }: MqttReceiverOptions, clientId: string): mqtt5.Mqtt5ClientConfig {
  const { protocol, hostname, port, username, password } = new URL(url);
  const connect: mqtt5.ConnectPacket = {
    clientId,
    keepAliveIntervalSeconds: KEEP_ALIVE_SECONDS,
    sessionExpiryIntervalSeconds: SESSION_EXPIRY_SECONDS,
    receiveMaximum: RECEIVE_MAXIMUM,
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
    // Otherwise the first connection of a new process would be a clean start, and all that waits for it gone.
    sessionBehavior: mqtt5.ClientSessionBehavior.RejoinAlways,
    // A subscription belongs to the connection that asked for it.
    offlineQueueBehavior: mqtt5.ClientOperationQueueBehavior.FailAllOnDisconnect,
    retryJitterMode: mqtt5.RetryJitterType.Full,
    minReconnectDelayMs: 100,
    maxReconnectDelayMs: 2_000,
    minConnectedTimeToResetReconnectDelayMs: 5_000,
    connackTimeoutMs: 10_000,
    pingTimeoutMs: 10_000,
  };
}
