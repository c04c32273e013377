/** `npm run smoke -- --env dev`: checks a deployed environment from outside, as its devices and users see it. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { CloudFormationClient, DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { iot, mqtt5 } from "aws-iot-device-sdk-v2";
import { WebSocket } from "ws";
import { environment, environmentNames } from "../config/environments/index.ts";
import type { Environment } from "../config/schema.ts";
import { MillraceError } from "../domain/errors.ts";
import { resourceName } from "../lib/names.ts";
import { deliveryVerdict, type Check } from "../lib/smoke/verdict.ts";

const USAGE = `npm run smoke -- --env ${environmentNames.join("|")} [--token JWT]`;
/** How long the first results may take: functions start cold, and a session ends only after its gap. */
const LIVE_LIMIT_MS = 60_000;
const SESSION_LIMIT_MS = 120_000;

const checks: Check[] = [];

async function check(name: string, run: () => Promise<string>): Promise<void> {
  const begun = Date.now();
  try {
    checks.push({ name, ok: true, detail: await run(), ms: Date.now() - begun });
  } catch (error) {
    checks.push({
      name,
      ok: false,
      detail: error instanceof Error ? error.message : String(error),
      ms: Date.now() - begun,
    });
  }
  const last = checks.at(-1);
  process.stdout.write(`${last?.ok ? "ok    " : "FAILED"} ${name} (${last?.ms} ms): ${last?.detail}\n`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof MillraceError)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { env, token } = readArguments(process.argv.slice(2));
  const config = environment(env);
  const outputs = await stackOutputs(config, ["ingestion", "serving"]);
  const sensorId = `smoke-${randomUUID()}`;
  await check("REST /health", async () => {
    const answer = await fetch(new URL("health", withSlash(outputs("RestUrl"))));
    const health = (await answer.json()) as { status: string };
    if (!answer.ok) throw new Error(`HTTP ${answer.status}: ${JSON.stringify(health)}`);
    return health.status;
  });
  await check("MQTT publish → WebSocket", () => publishAndWatch(config, sensorId, outputs, token));
  await check("session over REST", () => waitForSession(sensorId, outputs("RestUrl"), token));
  await check("Kafka transactions", () => tryTransactions(config));
  process.exitCode = checks.every(({ ok }) => ok) ? 0 : 1;
}

function readArguments(args: string[]): { env: string; token: string | undefined } {
  try {
    const { values } = parseArgs({ args, options: { env: { type: "string" }, token: { type: "string" } } });
    if (values.env === undefined) throw new Error("--env is missing");
    const { auth } = environment(values.env).api;
    if (auth !== null && values.token === undefined)
      throw new Error(`the API of ${values.env} wants a token of ${auth.issuer}: --token`);
    return { env: values.env, token: values.token };
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    throw new MillraceError(
      "arguments-invalid",
      `${error instanceof Error ? error.message : String(error)}\nusage: ${USAGE}`,
      { cause: error },
    );
  }
}

/** Reads the stacks' outputs; the returned function gives one by its name. */
async function stackOutputs(config: Environment, stacks: readonly string[]): Promise<(name: string) => string> {
  const client = new CloudFormationClient({ region: config.region });
  const found = new Map<string, string>();
  for (const stack of stacks) {
    const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: resourceName(config, stack) }));
    for (const { OutputKey, OutputValue } of Stacks[0]?.Outputs ?? [])
      if (OutputKey && OutputValue) found.set(OutputKey, OutputValue);
  }
  return (name) => found.get(name) ?? missing(`stack output ${name}`);
}

/** Subscribes over WebSocket, publishes a second of readings, and waits for the samples to come out. */
async function publishAndWatch(
  config: Environment,
  sensorId: string,
  outputs: (name: string) => string,
  token: string | undefined,
): Promise<string> {
  const url = new URL(outputs("WebSocketUrl"));
  url.searchParams.set("sensorId", sensorId);
  if (token !== undefined) url.searchParams.set("ticket", await ticket(outputs("RestUrl"), token));
  const socket = new WebSocket(url);
  try {
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    const samples = new Promise<number>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no samples message within ${LIVE_LIMIT_MS} ms`)), LIVE_LIMIT_MS);
      socket.on("message", (data: Buffer) => {
        const messages = [JSON.parse(data.toString()) as { type: string; data: { sensorId: string } }].flat() as {
          type: string;
          data: { sensorId: string };
        }[];
        if (!messages.some((message) => message.type === "samples" && message.data.sensorId === sensorId)) return;
        clearTimeout(timer);
        resolve(Date.now());
      });
    });
    const published = await publish(config, outputs("IotEndpoint"), sensorId);
    return `${(await samples) - published} ms from the last publish`;
  } finally {
    socket.close();
  }
}

async function ticket(restUrl: string, token: string): Promise<string> {
  const answer = await fetch(new URL("tickets", withSlash(restUrl)), {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
  });
  if (answer.status !== 201) throw new Error(`POST /tickets: HTTP ${answer.status}`);
  return ((await answer.json()) as { ticket: string }).ticket;
}

/**
 * Publishes ten messages of 100 ms as a device would, by the caller's IAM rights; returns when the last was
 * acknowledged.
 */
async function publish(config: Environment, endpoint: string, sensorId: string): Promise<number> {
  const settings = iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithSigv4Auth(endpoint, {
    region: config.region,
  })
    .withConnectProperties({ clientId: sensorId, keepAliveIntervalSeconds: 30 })
    .build();
  const client = new mqtt5.Mqtt5Client(settings);
  const connected = new Promise<void>((resolve, reject) => {
    client.once("connectionSuccess", () => resolve());
    client.once("connectionFailure", ({ error }) =>
      reject(new Error(`IoT Core refused the connection: ${String(error)}`)),
    );
  });
  client.start();
  try {
    await connected;
    for (let seq = 0; seq < 10; seq++) {
      const t = Date.now();
      await client.publish({
        topicName: `imu/${sensorId}`,
        qos: mqtt5.QoS.AtLeastOnce,
        contentType: "application/json",
        payload: JSON.stringify({
          seq,
          boot: "smoke",
          t,
          hz: 100,
          samples: Array.from({ length: 10 }, () => [0, 0, 9.81, 0, 0, 0]),
        }),
      });
      await sleep(100);
    }
    return Date.now();
  } finally {
    client.stop();
  }
}

async function waitForSession(sensorId: string, restUrl: string, token: string | undefined): Promise<string> {
  const url = new URL(`sessions?sensorId=${encodeURIComponent(sensorId)}`, withSlash(restUrl));
  const end = Date.now() + SESSION_LIMIT_MS;
  let last = "";
  while (Date.now() < end) {
    const answer = await fetch(url, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });
    last = await answer.text();
    const sessions = answer.ok
      ? (JSON.parse(last) as { items: { sessionId: string; status: string; samples: number | null }[] }).items
      : [];
    const ended = sessions.find(({ status }) => status === "ended");
    if (ended) return `${ended.sessionId} ended with ${ended.samples} samples`;
    await sleep(1_000);
  }
  throw new Error(`no ended session of ${sensorId} within ${SESSION_LIMIT_MS} ms; last answer: ${last.slice(0, 300)}`);
}

/** Lets the functions inside the VPC try a transaction, and says whether the config's `delivery` holds. */
async function tryTransactions(config: Environment): Promise<string> {
  const nonce = randomUUID();
  const lambda = new LambdaClient({ region: config.region });
  const invoke = async <T>(name: string): Promise<T> => {
    const { Payload, FunctionError } = await lambda.send(
      new InvokeCommand({ FunctionName: resourceName(config, name), Payload: Buffer.from(JSON.stringify({ nonce })) }),
    );
    const text = Buffer.from(Payload ?? []).toString();
    if (FunctionError) throw new Error(`${name}: ${text}`);
    return JSON.parse(text) as T;
  };
  const verdict = deliveryVerdict(
    config.processor.delivery,
    nonce,
    await invoke("produce-test"),
    await invoke("consume-test"),
  );
  if (!verdict.ok) throw new Error(verdict.detail);
  return verdict.detail;
}

function withSlash(url: string): string {
  return url.endsWith("/") ? url : `${url}/`;
}

function missing(what: string): never {
  throw new Error(`${what} is missing: deploy the environment first`);
}
