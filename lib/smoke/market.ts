import { setTimeout as sleep } from "node:timers/promises";
import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { eventBusName, TRADE_DETAIL_TYPE } from "../../domain/market.ts";
import { authorization, type Deployment } from "./deployment.ts";

/** Queue, function, processor and store start cold, and each gathers for up to a second. */
const POSITION_LIMIT_MS = 120_000;
const SYMBOL = "SMOKE.TEST";

/** Puts a trade on the market's event bus, twice, and waits until the REST API has its account's position, once. */
export async function checkMarket({ config, restUrl, roles, token }: Deployment, account: string): Promise<string> {
  const trade = { trade_id: account, symbol: SYMBOL, price: 10, quantity: 3, side: "buy", account };
  const entry = {
    EventBusName: eventBusName(config.name),
    Source: "millrace.smoke",
    DetailType: TRADE_DETAIL_TYPE,
    Detail: JSON.stringify({ ...trade, timestamp: Date.now() }),
  };
  const client = new EventBridgeClient({ region: config.region, credentials: roles.smoke });
  const { FailedEntryCount, Entries } = await client.send(new PutEventsCommand({ Entries: [entry, entry] }));
  if (FailedEntryCount !== 0) throw new Error(`PutEvents: ${JSON.stringify(Entries)}`);
  const put = Date.now();
  const url = new URL(`positions?account=${encodeURIComponent(account)}`, restUrl);
  let last = "";
  while (Date.now() < put + POSITION_LIMIT_MS) {
    const answer = await fetch(url, { headers: authorization(token) });
    last = await answer.text();
    const [position] = answer.ok ? (JSON.parse(last) as { items: { symbol: string; quantity: number }[] }).items : [];
    if (position?.quantity === trade.quantity) return `position ${Date.now() - put} ms after PutEvents`;
    if (position)
      throw new Error(`the position is ${JSON.stringify(position)}, expected ${trade.quantity} of ${SYMBOL}`);
    await sleep(1_000);
  }
  throw new Error(`no position of ${account} within ${POSITION_LIMIT_MS} ms; last answer: ${last.slice(0, 300)}`);
}
