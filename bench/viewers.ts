/** WebSocket clients of `Viewers`. Arguments: port of the API, number of clients, ids of the sensors. */
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";
import { LOOPBACK } from "../config/local.ts";
import type { Arrival, Seen } from "./viewers-process.ts";

interface Message {
  readonly type: string;
  readonly data?: { readonly id: string; readonly t: readonly number[] };
}

/** To parse every frame of many clients would cost more than the whole platform. */
const FRAMES_PER_SAMPLE = 16;
const MAX_ARRIVALS = 500_000;
/** A confirmation is short. What is longer needs no look inside. */
const MAX_CONFIRMATION_BYTES = 500;
const RECONNECT_MS = 1_000;

const [apiPort, clients, ...sensorIds] = process.argv.slice(2);
const framesPerSample = Number(clients) === 1 ? 1 : FRAMES_PER_SAMPLE;
let arrivals: Arrival[] | null = null;
let frames = 0;
let closed = 0;

function receive(frame: Buffer): void {
  if (arrivals === null || ++frames % framesPerSample !== 0) return;
  const receivedAt = Date.now();
  const parsed = JSON.parse(frame.toString()) as Message | Message[];
  for (const { type, data } of Array.isArray(parsed) ? parsed : [parsed])
    if (type === "samples" && arrivals.length < MAX_ARRIVALS)
      arrivals.push({ id: data!.id, newest: data!.t.at(-1)!, receivedAt });
}

/** A client that subscribes to one sensor after the other, as a page does. It connects again when it is closed. */
function view(onSubscribed: () => void): void {
  const socket = new WebSocket(`ws://${LOOPBACK}:${apiPort}/`);
  let subscribed = 0;
  const subscribe = (): void => {
    if (subscribed === sensorIds.length) return onSubscribed();
    socket.send(JSON.stringify({ action: "subscribe", sensorId: sensorIds[subscribed] }));
  };
  socket.on("open", subscribe);
  socket.on("message", (frame: Buffer) => {
    if (subscribed < sensorIds.length && frame.length < MAX_CONFIRMATION_BYTES && frame.includes('"subscribed"')) {
      subscribed++;
      subscribe();
    } else receive(frame);
  });
  // A connection that fails is closed, too.
  socket.on("error", () => undefined);
  socket.on("close", () => {
    closed++;
    void sleep(RECONNECT_MS).then(() => view(onSubscribed));
  });
}

process.on("disconnect", () => process.exit());
process.on("message", (message) => {
  if (message === "begin") arrivals = [];
  else {
    process.send!({ arrivals: arrivals ?? [], closed } satisfies Seen);
    arrivals = null;
  }
  closed = 0;
});
await Promise.all(Array.from({ length: Number(clients) }, () => new Promise<void>(view)));
process.send!("ready");
