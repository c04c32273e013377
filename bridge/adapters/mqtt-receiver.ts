import { setTimeout as sleep } from "node:timers/promises";
import { mqtt5 } from "aws-iot-device-sdk-v2";
import type { Logger } from "../../adapters/log.ts";
import { mqttTopic, MQTT_SUBSCRIPTION } from "../../domain/imu.ts";
import type { Receiver } from "../bridge.ts";
import type { Publish } from "../to-record.ts";
import { clientConfig, type Broker } from "./mqtt-client.ts";

/** How to connect, what to subscribe to, and what to call. */
export interface MqttReceiverOptions extends Broker {
  /** Number of connections. */
  readonly clients: number;
  /** Client ids are `<clientId>-<n>`. They are stable: a new process takes over the sessions of the previous one. */
  readonly clientId: string;
  /** Connections, from the first, whose session stays when the bridge stops, so that the broker keeps the group. */
  readonly sessionsKept: number;
  /** Messages of a connection that may be unacknowledged, at most. */
  readonly receiveMaximum: number;
  /** The clients share the messages among each other, and with every client of the same group. */
  readonly shareGroup: string;
  /** The environment's prefix of topics, which messages that are passed on no longer have. */
  readonly prefix: string | undefined;
  /** Called for each message; must not block. `acknowledge` sends its PUBACK, or does nothing on a lost connection. */
  readonly onMessage: (client: string, publish: Publish, acknowledge: () => void) => void;
  /** Called when a client resumes its session: the broker then sends the unacknowledged messages again. */
  readonly onSessionResumed: (client: string) => void;
  readonly logger: Logger;
}

const SESSION_EXPIRY_SECONDS = 15 * 60;
const SUBSCRIBE_RETRY_MS = 1_000;
/** A broker delivers the messages that wait in a resumed session at once: after this long, none waits. */
const FIRST_MESSAGE_LIMIT_MS = 1_000;
const STOP_LIMIT_MS = 3_000;
/** How long the broker's answer may take while the bridge stops. */
const ANSWER_LIMIT_MS = 1_000;
const SESSION_ENDS = { reasonCode: mqtt5.DisconnectReasonCode.NormalDisconnection, sessionExpiryIntervalSeconds: 0 };
/** Reason codes from here on are errors (MQTT 5, section 2.4). */
const FAILED = 0x80;

/** MQTT 5 connections that share one subscription. A message is acknowledged only when its `acknowledge` is called. */
export class MqttReceiver implements Receiver {
  readonly #options: MqttReceiverOptions;
  readonly #clients = new Map<string, mqtt5.Mqtt5Client>();
  #stopping = false;
  readonly #subscribed = new Set<string>();
  /** Clients that the broker has confirmed to be out of the group. */
  #left: readonly string[] = [];
  #turn: Promise<void> = Promise.resolve();
  readonly #firstSubscription = Promise.withResolvers<void>();

  constructor(options: MqttReceiverOptions) {
    this.#options = options;
  }

  get subscribed(): number {
    return this.#subscribed.size;
  }

  /** Resolves when the broker first has the subscription. From then on it keeps what devices publish. */
  get firstSubscription(): Promise<void> {
    return this.#firstSubscription.promise;
  }

  /** Connects, and reconnects after each loss of a connection, until `stop`. */
  start(): void {
    for (let n = 0; n < this.#options.clients; n++) {
      const clientId = `${this.#options.clientId}-${n}`;
      const client = this.#create(clientId);
      this.#clients.set(clientId, client);
      client.start();
    }
  }

  async leave(): Promise<readonly string[]> {
    this.#stopping = true;
    const leaving = [...this.#clients].slice(this.#options.sessionsKept).filter(([id]) => this.#subscribed.has(id));
    const packet = { topicFilters: [this.#subscription] };
    const left = await Promise.all(
      leaving.map(async ([id, client]) => ((await this.#confirmed(id, client.unsubscribe(packet))) ? [id] : [])),
    );
    return (this.#left = left.flat());
  }

  /**
   * Disconnects. The broker keeps the sessions of the clients that are not in `done` for 15 minutes, for the next
   * process. One of them that left the group enters it again first, because a resumed session counts as a member.
   */
  async stop(done: readonly string[]): Promise<void> {
    this.#stopping = true;
    const ends = new Set(done);
    const clients = [...this.#clients];
    const back = clients.filter(([id]) => this.#left.includes(id) && !ends.has(id));
    await Promise.all(back.map(([id, client]) => this.#confirmed(id, client.subscribe(this.#subscribePacket))));
    const stopped = clients.map(
      ([, client]) => new Promise<void>((resolve) => client.once("stopped", () => resolve())),
    );
    for (const [clientId, client] of clients) client.stop(ends.has(clientId) ? SESSION_ENDS : undefined);
    await Promise.race([Promise.all(stopped), sleep(STOP_LIMIT_MS, undefined, { ref: false })]);
    for (const [, client] of clients) client.close();
    this.#subscribed.clear();
  }

  reconnect(clientId: string): void {
    const client = this.#clients.get(clientId);
    if (!client || this.#stopping) return;
    this.#options.logger.warn({ clientId }, "connecting anew for the messages that were turned away");
    client.once("stopped", () => {
      if (!this.#stopping) client.start();
    });
    client.stop();
  }

  get #subscription(): string {
    const { shareGroup, prefix } = this.#options;
    return `$share/${shareGroup}/${mqttTopic(prefix, MQTT_SUBSCRIPTION)}`;
  }

  get #subscribePacket(): mqtt5.SubscribePacket {
    return { subscriptions: [{ topicFilter: this.#subscription, qos: mqtt5.QoS.AtLeastOnce }] };
  }

  /** Whether the broker says yes within the limit. */
  async #confirmed(clientId: string, answer: Promise<mqtt5.SubackPacket | mqtt5.UnsubackPacket>): Promise<boolean> {
    try {
      const packet = await Promise.race([answer, sleep(ANSWER_LIMIT_MS, undefined, { ref: false })]);
      return (packet?.reasonCodes[0] ?? FAILED) < FAILED;
    } catch (error) {
      this.#options.logger.warn({ err: error, clientId }, "the session stays as it is");
      return false;
    }
  }

  #create(clientId: string): mqtt5.Mqtt5Client {
    const { logger } = this.#options;
    const { receiveMaximum } = this.#options;
    const client = new mqtt5.Mqtt5Client({
      ...clientConfig(this.#options, {
        clientId,
        sessionExpiryIntervalSeconds: SESSION_EXPIRY_SECONDS,
        receiveMaximum,
      }),
      // With the default, the first connection of a process is a clean start and the broker drops the waiting messages.
      sessionBehavior: mqtt5.ClientSessionBehavior.RejoinAlways,
    });
    let connection = 0;
    let everSubscribed = false;
    const markSubscribed = (): void => {
      everSubscribed = true;
      this.#subscribed.add(clientId);
      this.#firstSubscription.resolve();
    };
    client.on("messageReceived", ({ message, acknowledgementControl }) => {
      // The client acknowledges by itself unless the handle is taken within this call.
      const handle = acknowledgementControl?.acquireHandle();
      if (!this.#subscribed.has(clientId)) markSubscribed();
      this.#options.onMessage(clientId, toPublish(message, this.#options.prefix), () =>
        handle?.invokeAcknowledgement(),
      );
    });
    client.on("connectionSuccess", ({ connack }) => {
      logger.info({ clientId, sessionPresent: connack.sessionPresent }, "connected to the MQTT broker");
      const current = ++connection;
      if (connack.sessionPresent) this.#options.onSessionResumed(clientId);
      if (connack.sessionPresent && everSubscribed) {
        markSubscribed();
        return;
      }
      const isNeeded = (): boolean => connection === current && !this.#subscribed.has(clientId);
      const confirm = async (): Promise<void> => {
        if (await this.#subscribe(client, connack.sessionPresent, isNeeded)) markSubscribed();
      };
      void confirm();
    });
    client.on("disconnection", ({ error, disconnect }) => {
      connection++;
      this.#subscribed.delete(clientId);
      logger.warn(
        { err: error, clientId, reason: disconnect?.reasonString ?? disconnect?.reasonCode },
        "lost the connection to the MQTT broker",
      );
    });
    client.on("connectionFailure", ({ error, connack }) =>
      logger.warn(
        { err: error, clientId, reason: connack?.reasonString ?? connack?.reasonCode },
        "cannot connect to the MQTT broker",
      ),
    );
    client.on("error", (error) => logger.error({ err: error, clientId }, "MQTT client error"));
    return client;
  }

  /**
   * Subscribes, again and again while `isNeeded`. Gives true when the broker has confirmed the subscription.
   *
   * A session that an earlier process left has the subscription, unless that process died before it subscribed. A
   * message that arrives proves that it has. Only when none arrives does the client subscribe again, because a repeated
   * shared subscription makes Artemis withdraw the messages in flight, and after their acknowledgements it does not
   * deliver the ones that wait. Artemis also refuses clients that create a shared subscription at the same moment, so
   * they take turns.
   */
  async #subscribe(client: mqtt5.Mqtt5Client, sessionPresent: boolean, isNeeded: () => boolean): Promise<boolean> {
    const { logger } = this.#options;
    const subscription = this.#subscription;
    if (sessionPresent) await sleep(FIRST_MESSAGE_LIMIT_MS);
    while (isNeeded()) {
      const before = this.#turn;
      const turn = Promise.withResolvers<void>();
      this.#turn = turn.promise;
      try {
        await before;
        if (!isNeeded()) return false;
        const { reasonCodes, reasonString } = await client.subscribe(this.#subscribePacket);
        if ((reasonCodes[0] ?? FAILED) < FAILED) return isNeeded();
        logger.error(
          { subscription, reasonCode: reasonCodes[0], reason: reasonString },
          "the MQTT broker refuses the subscription",
        );
      } catch (error) {
        logger.warn({ err: error, subscription }, "subscribing failed");
      } finally {
        turn.resolve();
      }
      await sleep(SUBSCRIBE_RETRY_MS);
    }
    return false;
  }
}

function toPublish(message: mqtt5.PublishPacket, prefix: string | undefined): Publish {
  // For an empty payload the client gives a detached buffer, which `Buffer.from` refuses.
  const payload = message.payload as ArrayBuffer | undefined;
  return {
    topic: message.topicName.slice(mqttTopic(prefix, "").length),
    payload: payload && payload.byteLength > 0 ? Buffer.from(payload) : Buffer.alloc(0),
    contentType: message.contentType,
    userProperties: message.userProperties ?? [],
  };
}
