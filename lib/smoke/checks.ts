import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { authorization, type Deployment } from "./deployment.ts";
import { invoke } from "./invoke.ts";
import { deliveryVerdict, type Consumed, type Produced } from "./verdict.ts";

/** Functions start cold: the first results take longer than any after them. */
const LIVE_LIMIT_MS = 60_000;
/** A session ends only after its gap, or when the sensor is idle. */
const SESSION_LIMIT_MS = 120_000;

/** Processors join their group, and functions start cold: a new environment is down at first. */
const HEALTH_LIMIT_MS = 120_000;
const HEALTH_PAUSE_MS = 3_000;

/**
 * Asks `GET /health` until the environment serves.
 *
 * @throws Error with the last answer when it does not within two minutes
 */
export async function checkHealth(
  { restUrl }: Pick<Deployment, "restUrl">,
  { limitMs = HEALTH_LIMIT_MS, pauseMs = HEALTH_PAUSE_MS } = {},
): Promise<string> {
  const end = Date.now() + limitMs;
  for (;;) {
    const asked = await askHealth(restUrl).catch((error: unknown) => ({ ok: false, text: String(error) }));
    if (asked.ok) return asked.text;
    if (Date.now() + pauseMs > end) throw new Error(`not healthy within ${limitMs} ms; last answer: ${asked.text}`);
    await sleep(pauseMs);
  }
}

async function askHealth(restUrl: string): Promise<{ ok: boolean; text: string }> {
  const answer = await fetch(new URL("health", restUrl));
  const text = await answer.text();
  return answer.ok
    ? { ok: true, text: (JSON.parse(text) as { status: string }).status }
    : { ok: false, text: `HTTP ${answer.status}: ${text}` };
}

/**
 * Subscribes over WebSocket, publishes readings over MQTT, and waits for their samples.
 *
 * @param publish Publishes the sensor's readings; gives when the last was acknowledged, epoch ms
 */
export async function checkLive(
  deployment: Deployment,
  sensorId: string,
  publish: () => Promise<number>,
): Promise<string> {
  const url = new URL(deployment.webSocketUrl);
  url.searchParams.set("sensorId", sensorId);
  if (deployment.token !== undefined) url.searchParams.set("ticket", await getTicket(deployment));
  const socket = new WebSocket(url);
  try {
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    const samples = firstSamples(socket, sensorId);
    // A failure to publish is the one to report: without this, the wait for samples could fail first, unhandled.
    samples.catch(() => undefined);
    const published = await publish();
    return `${(await samples) - published} ms from the last publish`;
  } finally {
    socket.close();
  }
}

interface LiveMessage {
  readonly type: string;
  readonly data: { readonly sensorId: string };
}

/** When the first samples of a sensor arrive, epoch ms. */
function firstSamples(socket: WebSocket, sensorId: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no samples message within ${LIVE_LIMIT_MS} ms`)), LIVE_LIMIT_MS);
    socket.on("message", (frame: Buffer) => {
      const messages = [JSON.parse(frame.toString()) as LiveMessage | LiveMessage[]].flat();
      if (!messages.some(({ type, data }) => type === "samples" && data.sensorId === sensorId)) return;
      clearTimeout(timer);
      resolve(Date.now());
    });
  });
}

async function getTicket({ restUrl, token }: Deployment): Promise<string> {
  const answer = await fetch(new URL("tickets", restUrl), { method: "POST", headers: authorization(token) });
  if (answer.status !== 201) throw new Error(`POST /tickets: HTTP ${answer.status}`);
  return ((await answer.json()) as { ticket: string }).ticket;
}

/** Waits until the REST API has the sensor's session as ended. */
export async function checkSession({ restUrl, token }: Deployment, sensorId: string): Promise<string> {
  const url = new URL(`sessions?sensorId=${encodeURIComponent(sensorId)}`, restUrl);
  const end = Date.now() + SESSION_LIMIT_MS;
  let last = "";
  while (Date.now() < end) {
    const answer = await fetch(url, { headers: authorization(token) });
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

/** Lets the functions inside the VPC try a transaction. Fails when the config's `delivery` does not hold. */
export async function checkTransactions(deployment: Deployment): Promise<string> {
  const nonce = randomUUID();
  const produced = await invoke<Produced>(deployment, "produce-test", { nonce });
  const consumed = await invoke<Consumed>(deployment, "consume-test", { nonce });
  const verdict = deliveryVerdict(deployment.config.processor.delivery, nonce, produced, consumed);
  if (!verdict.ok) throw new Error(verdict.detail);
  return verdict.detail;
}
