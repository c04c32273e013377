// Puts trades on the event bus and reads the bar that Millrace makes of them, as it happens and by REST:
//   npm start -- --market
//   node examples/market/main.ts [SYMBOL [API [EVENTS]]]
import { setTimeout as delay } from "node:timers/promises";
import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";

const [symbol = "ACME", api = "127.0.0.1:8000", events = "http://127.0.0.1:8002"] = process.argv.slice(2);
const credentials = { accessKeyId: "local", secretAccessKey: "local" };
const bus = new EventBridgeClient({ region: "us-east-1", endpoint: events, credentials });

// Each message is one object or an array of them; a bar comes within a second of the trade that completes it.
const socket = new WebSocket(`ws://${api}/?symbol=${symbol}`);
await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
await delay(1_000); // until the subscription takes effect
const bar = new Promise((resolve) => {
  socket.onmessage = ({ data }) => {
    const found = [JSON.parse(String(data))].flat().find(({ type }) => type === "bar");
    if (found) resolve(found.data);
  };
});

// Two trades of a minute, and one of the next: behind it nothing older is expected, and the minute's bar is written.
const minute = Math.floor(Date.now() / 60_000) * 60_000 - 120_000;
const trades = [
  { trade_id: `A-${minute}`, symbol, timestamp: minute, price: 100, quantity: 3, side: "buy", account: "ACC-1" },
  {
    trade_id: `B-${minute}`,
    symbol,
    timestamp: minute + 30_000,
    price: 104,
    quantity: 1,
    side: "sell",
    account: "ACC-1",
  },
  { trade_id: `C-${minute}`, symbol, timestamp: minute + 61_000, price: 103, quantity: 1 },
];
for (const trade of trades) {
  const entry = { Source: "examples.market", DetailType: "Trade", Detail: JSON.stringify(trade) };
  const { FailedEntryCount, Entries } = await bus.send(
    new PutEventsCommand({ Entries: [{ ...entry, EventBusName: "millrace-local-market" }] }),
  );
  if (FailedEntryCount) throw new Error(`not taken, put it again: ${JSON.stringify(Entries)}`);
}

console.log("heard:", JSON.stringify(await bar));
const from = new Date(minute).toISOString();
console.log("read:", await (await fetch(`http://${api}/symbols/${symbol}/bars?from=${from}`)).text());
console.log("positions:", await (await fetch(`http://${api}/positions?symbol=${symbol}`)).text());
socket.close();
