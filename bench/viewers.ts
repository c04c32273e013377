/** WebSocket clients of `Viewers`. Arguments: port of the API, number of clients, ids of the sensors. */
import WebSocket from "ws";
import { LOOPBACK } from "../config/local.ts";
import type { Arrival } from "./viewers-process.ts";

interface Message {
  readonly type: string;
  readonly data?: { readonly id: string; readonly t: readonly number[] };
}

/** To parse every frame would cost more than the whole platform. */
const FRAMES_PER_SAMPLE = 16;
const MAX_ARRIVALS = 500_000;

const [apiPort, clients, ...sensorIds] = process.argv.slice(2);
let arrivals: Arrival[] | null = null;
let frames = 0;

function receive(frame: Buffer): void {
  if (arrivals === null || ++frames % (Number(clients) === 1 ? 1 : FRAMES_PER_SAMPLE) !== 0) return;
  const receivedAt = Date.now();
  const parsed = JSON.parse(frame.toString()) as Message | Message[];
  for (const { type, data } of Array.isArray(parsed) ? parsed : [parsed])
    if (type === "samples" && arrivals.length < MAX_ARRIVALS)
      arrivals.push({ id: data!.id, newest: data!.t.at(-1)!, receivedAt });
}

/** Subscribes to one sensor after the other, as a page does. Resolves when all subscriptions are confirmed. */
async function view(): Promise<void> {
  const socket = new WebSocket(`ws://${LOOPBACK}:${apiPort}/`);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  for (const sensorId of sensorIds) {
    const confirmed = new Promise<void>((resolve) => {
      const wait = (frame: Buffer): void => {
        if (!frame.includes('"subscribed"')) return;
        socket.off("message", wait);
        resolve();
      };
      socket.on("message", wait);
    });
    socket.send(JSON.stringify({ action: "subscribe", sensorId }));
    await confirmed;
  }
  socket.on("message", receive);
  socket.on("close", () => process.exit(1));
}

process.on("disconnect", () => process.exit());
process.on("message", (message) => {
  if (message === "begin") arrivals = [];
  else {
    process.send!(arrivals ?? []);
    arrivals = null;
  }
});
await Promise.all(Array.from({ length: Number(clients) }, view));
process.send!("ready");
