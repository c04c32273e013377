import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { MongoClient, type Db } from "mongodb";
import { alert, bar, marketSymbol, page, position, problem } from "../../domain/api.ts";
import { sharedServers, uniqueName } from "../support/servers.ts";
import { mskEvent, restEvent } from "./events.ts";
import { startFunction, type FunctionProcess } from "./function-process.ts";
import { alerted, barred, positioned } from "./records.ts";

interface Page {
  readonly items: Record<string, unknown>[];
  readonly next: string | null;
}
type Body = Record<string, unknown> & Page;

const database = uniqueName("market");
const env = { MONGODB_URI: sharedServers().mongodbUri, MONGODB_DATABASE: database, PIPELINES: "sensor,market" };
const DAY = 86_400_000;
const MINUTE = 60_000;
/** A whole hour: 2026-01-13T14:00Z. */
const HOUR = 1_768_312_800_000;
let client: MongoClient;
let db: Db;
let store: FunctionProcess;
let read: FunctionProcess;

beforeAll(async () => {
  client = await MongoClient.connect(env.MONGODB_URI);
  db = client.db(database);
  store = startFunction("store-market", env);
  read = startFunction("read-market", env);
});
afterAll(async () => {
  await Promise.all([store.stop(), read.stop()]);
  await db.dropDatabase();
  await client.close();
});

type Value = Record<string, unknown>;
const topicOf = (value: Value): string =>
  "window" in value ? "market-aggregated" : "alertId" in value ? "market-alerts" : "market-positions";

async function deliver(
  values: readonly Value[],
  size = values.length,
  fn = store,
  timestamp = Date.now(),
): Promise<void> {
  for (let at = 0; at < values.length; at += size) {
    const part = values.slice(at, at + size);
    const records = part.map((value, i) => ({ topic: topicOf(value), offset: at + i, timestamp, value }));
    expect(await fn.invoke(mskEvent(records))).toEqual({ batchItemFailures: [] });
  }
}

async function get(
  resource: string,
  query: Record<string, string> = {},
  pathParameters: Record<string, string> = {},
): Promise<{ status: number; body: Body }> {
  const answer = await read.invoke<{ statusCode: number; body: string }>(
    restEvent(resource, { query, pathParameters }),
  );
  return { status: answer.statusCode, body: JSON.parse(answer.body) as Body };
}
const bars = (symbol: string, query: Record<string, string> = {}): Promise<{ status: number; body: Body }> =>
  get("/symbols/{symbol}/bars", query, { symbol });
const minutes = ({ body }: { body: Page }): number[] =>
  body.items.map(({ window }) => ((window as { start: number }).start - HOUR) / MINUTE);

/** All pages of a list. */
async function all(resource: string, query: Record<string, string>, path = {}): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const { body }: { body: Body } = await get(resource, { ...query, ...(cursor ? { cursor } : {}) }, path);
    items.push(...body.items);
    cursor = body.next;
  }
  return items;
}

/** A bar that is corrected twice, a position after three trades, and an alert that is withdrawn. */
const history = (symbol: string): Value[] => [
  barred(symbol, HOUR, { offset: 1 }),
  barred(symbol, HOUR, { offset: 5, revision: 1, count: 3 }),
  // Ten revisions on, "10" is more than "9" although not as a text.
  barred(symbol, HOUR, { offset: 9, revision: 9, count: 4 }),
  barred(symbol, HOUR, { offset: 11, revision: 10, count: 3, cancelled: 1, close: 151 }),
  barred(symbol, HOUR - 4 * MINUTE, { offset: 12, count: 7, windowMs: 5 * MINUTE, slideMs: MINUTE }),
  positioned(symbol, `acc of ${symbol}`, 0, { offset: 1, quantity: 40, timestamp: HOUR + 1 }),
  positioned(symbol, `acc of ${symbol}`, 1, { offset: 2, quantity: 30, timestamp: HOUR + 70_000 }),
  positioned(symbol, `acc of ${symbol}`, 2, { offset: 3, quantity: -5, timestamp: HOUR + 60_000 }),
  alerted(symbol, HOUR + 5, { offset: 2 }),
  alerted(symbol, HOUR + 5, { offset: 8, status: "withdrawn" }),
];

async function outcome(symbol: string): Promise<unknown> {
  return {
    bars: (await bars(symbol)).body.items,
    sliding: minutes(await bars(symbol, { operator: "sliding-300000-60000" })),
    positions: (await get("/positions", { account: `acc of ${symbol}` })).body.items,
    alerts: (await get("/alerts", { symbol })).body.items,
    symbol: (await get("/symbols")).body.items.find((item) => item["symbol"] === symbol),
  };
}

function expected(symbol: string): unknown {
  const { schema: _bar, ...newest } = history(symbol)[3]!;
  const { schema: _position, ...last } = history(symbol)[7]!;
  const { schema: _alert, ...withdrawn } = history(symbol)[9]!;
  return {
    bars: [newest],
    sliding: [-4],
    positions: [last],
    alerts: [withdrawn],
    symbol: { symbol, lastSeen: HOUR + 70_000, lastClose: 151, trades: 7 },
  };
}

test("any order and repetition of records, split into any events, gives the same answers", async () => {
  let run = 0;
  const indexes = [...history("X").keys()];
  const deliveries = fc.record({
    order: fc
      .array(fc.nat(indexes.length - 1), { maxLength: 12 })
      .chain((extra) => fc.shuffledSubarray([...indexes, ...extra], { minLength: indexes.length + extra.length })),
    size: fc.integer({ min: 1, max: 12 }),
  });
  await fc.assert(
    fc.asyncProperty(deliveries, async ({ order, size }) => {
      // Dots are no part of a field's name in MongoDB, and a number could be taken for a place in an array.
      const symbol = `${run % 2 ? "7203.T" : "BRK.B:X_-"}${run++}`;
      const records = history(symbol);
      await deliver(
        order.map((i) => records[i]!),
        size,
      );
      expect(await outcome(symbol)).toEqual(expected(symbol));
    }),
    { numRuns: 40 },
  );
}, 60_000);

test("two functions that write the same records at a time give the same answers", async () => {
  const other = startFunction("store-market", env);
  try {
    await Promise.all([
      deliver(history("TWICE"), 2),
      deliver(history("TWICE").toReversed(), 3, other),
      deliver(history("TWICE"), 1),
    ]);
  } finally {
    await other.stop();
  }
  expect(await outcome("TWICE")).toEqual(expected("TWICE"));
});

test("bars are listed newest first, by what overlaps an interval, over hours and pages", async () => {
  // Around two ends of an hour, one a day later, and one that was written more than a day ago.
  const starts = [-61, -60, -2, -1, 0, 1, 59, 60, 24 * 60];
  await deliver(starts.map((minute, offset) => barred("PAGED", HOUR + minute * MINUTE, { offset })));
  await deliver([barred("PAGED", HOUR + 3 * 60 * MINUTE, { offset: 99 })], 1, store, Date.now() - DAY - 1);
  const newestFirst = starts.toReversed();
  const whole = await bars("PAGED");
  expect(whole.status).toBe(200);
  expect(page(bar).parse(whole.body)).toEqual(whole.body);
  expect(minutes(whole)).toEqual(newestFirst);
  expect(whole.body.next).toBeNull();
  for (const limit of [1, 2, 3, 9]) {
    const items = await all("/symbols/{symbol}/bars", { limit: String(limit) }, { symbol: "PAGED" });
    expect([limit, minutes({ body: { items, next: null } })]).toEqual([limit, newestFirst]);
  }
  const between = (from: number, to: number): Record<string, string> => ({ from: String(from), to: String(to) });
  // The bar of minute -1 ends at the hour, exclusive, so the first of these leaves it out, the second has it.
  expect(minutes(await bars("PAGED", between(HOUR, HOUR + MINUTE)))).toEqual([0]);
  expect(minutes(await bars("PAGED", between(HOUR - 1, HOUR + MINUTE + 1)))).toEqual([1, 0, -1]);
  expect(minutes(await bars("PAGED", { to: new Date(HOUR - 59 * MINUTE).toISOString() }))).toEqual([-60, -61]);
  expect(minutes(await bars("PAGED", { from: String(HOUR + 61 * MINUTE) }))).toEqual([24 * 60]);
  expect((await bars("PAGED", { operator: "sliding-300000-60000" })).body).toEqual({ items: [], next: null });
});

test("bars that are years apart come in pages of bounded work, of which some are short", async () => {
  await deliver([barred("SPARSE", HOUR), barred("SPARSE", HOUR - 400 * DAY, { offset: 1 })]);
  const first = await bars("SPARSE");
  expect(minutes(first)).toEqual([0]);
  expect(first.body.next).not.toBeNull();
  const items = await all("/symbols/{symbol}/bars", {}, { symbol: "SPARSE" });
  expect(minutes({ body: { items, next: null } })).toEqual([0, -400 * 24 * 60]);
});

test("positions of an account are listed as they changed last, page by page, and no other account's", async () => {
  const account = "ACC/7 $.ünï";
  const symbols = Array.from({ length: 40 }, (_, i) => `S${i}.X`);
  await deliver([
    // Every second one changed at the same time as the one before: then the symbol decides.
    ...symbols.map((symbol, i) => positioned(symbol, account, 0, { offset: i, timestamp: HOUR + (i >> 1) })),
    positioned("S0.X", "ACC/7", 0),
  ]);
  const pages = await all("/positions", { account, limit: "7" });
  const place = (symbol: string): number => HOUR + (symbols.indexOf(symbol) >> 1);
  expect(pages.map((item) => item["symbol"])).toEqual(
    symbols.toSorted((a, b) => place(b) - place(a) || (a < b ? 1 : -1)),
  );
  const { body } = await get("/positions", { account: "ACC/7" });
  expect(page(position).parse(body)).toEqual(body);
  expect(body.items.map(({ symbol, quantity, trades }) => [symbol, quantity, trades])).toEqual([["S0.X", 40, 1]]);
  expect((await get("/positions", { account: "nobody" })).body).toEqual({ items: [], next: null });
  const of = async (query: Record<string, string>): Promise<unknown[]> =>
    (await all("/positions", query)).map((item) => [item["symbol"], item["account"]]);
  expect(await of({ account, symbol: "S3.X" })).toEqual([["S3.X", account]]);
  // ACC/7's is of 2022.
  expect(await of({ symbol: "S0.X", limit: "1" })).toEqual([
    ["S0.X", account],
    ["S0.X", "ACC/7"],
  ]);
  expect(await of({ symbol: "S0.Y" })).toEqual([]);
});

test("alerts are listed newest trade first, by symbol, time and status", async () => {
  const at = (tradeId: string, ms: number, more = {}): Value => alerted("ALERTS", HOUR + ms, { tradeId, ...more });
  await deliver([
    at("T-1", 10),
    at("T-2", 30),
    at("T-3", 30),
    at("T-4", 20),
    at("T-4", 20, { status: "withdrawn", offset: 9 }),
    alerted("OTHER", HOUR + 40),
  ]);
  const ids = ({ items }: Page): unknown[] => items.map(({ alertId }) => String(alertId).split("/")[1]);
  const of = async (query: Record<string, string>): Promise<unknown[]> =>
    ids((await get("/alerts", { symbol: "ALERTS", ...query })).body);
  const { body } = await get("/alerts", { symbol: "ALERTS" });
  expect(page(alert).parse(body)).toEqual(body);
  expect(ids(body)).toEqual(["T-3", "T-2", "T-4", "T-1"]);
  expect(await of({ status: "withdrawn" })).toEqual(["T-4"]);
  expect(await of({ status: "raised" })).toEqual(["T-3", "T-2", "T-1"]);
  expect(await of({ from: String(HOUR + 20), to: String(HOUR + 30) })).toEqual(["T-4"]);
  expect(ids({ items: await all("/alerts", { symbol: "ALERTS", limit: "1" }), next: null })).toEqual(ids(body));
  expect((await get("/alerts", { limit: "1", from: String(HOUR + 40) })).body.items[0]).toMatchObject({
    symbol: "OTHER",
  });
});

test("symbols are listed as they were seen last, and those of a month ago are not", async () => {
  const own = (await all("/symbols", { limit: "3" })).map((item) => marketSymbol.parse(item));
  expect(own.map(({ lastSeen }) => lastSeen)).toEqual(own.map(({ lastSeen }) => lastSeen).toSorted((a, b) => b - a));
  expect(new Set(own.map(({ symbol }) => symbol)).size).toBe(own.length);
  await deliver([alerted("NOBAR", HOUR + 2 * DAY)]);
  await deliver([barred("GONE", HOUR + 3 * DAY)], 1, store, Date.now() - 30 * DAY - 1);
  expect((await get("/symbols", { limit: "1" })).body.items).toEqual([
    { symbol: "NOBAR", lastSeen: HOUR + 2 * DAY, lastClose: null, trades: null },
  ]);
});

test.each([
  ["/positions", {}, {}, "account"],
  ["/positions", { account: "" }, {}, "account"],
  ["/positions", { symbol: "" }, {}, "symbol"],
  ["/positions", { account: "a".repeat(65) }, {}, "account"],
  ["/symbols/{symbol}/bars", { operator: "tumbling-1000" }, { symbol: "AAPL" }, "operator"],
  ["/symbols/{symbol}/bars", {}, { symbol: "aapl" }, "symbol"],
  ["/symbols/{symbol}/bars", { cursor: "x" }, { symbol: "PAGED" }, "cursor"],
  ["/alerts", { status: "open" }, {}, "status"],
  ["/alerts", { severity: "HIGH" }, {}, "severity"],
  ["/symbols", { limit: "0" }, {}, "limit"],
])("%s?%j of %j is refused, with what is wrong", async (resource, query, path, name) => {
  const { status, body } = await get(resource, query as Record<string, string>, path as Record<string, string>);
  expect([status, problem.parse(body).errors?.map((error) => error.name)]).toEqual([400, [name]]);
});

test("a symbol that is not known is 404, and a cursor of another list is refused", async () => {
  expect(await bars("NOBODY")).toMatchObject({ status: 404, body: { detail: "there is no symbol NOBODY" } });
  const { next } = (await bars("PAGED", { limit: "1" })).body;
  expect(await bars("PAGED", { cursor: next!, operator: "sliding-300000-60000" })).toMatchObject({ status: 400 });
});

test("a record that can't be read is reported as failed, and the others are stored", async () => {
  const records = [
    { topic: "market-alerts", offset: 1, value: "{" },
    { topic: "market-positions", offset: 2, value: { symbol: "X" } },
    { topic: "market-positions", offset: 3, value: positioned("X", "after", 0) },
  ];
  expect(await store.invoke(mskEvent(records))).toEqual({
    batchItemFailures: [
      { itemIdentifier: { partition: "market-alerts-0", offset: 1 } },
      { itemIdentifier: { partition: "market-positions-0", offset: 2 } },
    ],
  });
  expect((await get("/positions", { account: "after" })).body.items).toHaveLength(1);
});

test("what has expired is deleted, and the lists have their indexes", async () => {
  await deliver([barred("OLD", HOUR), alerted("OLD", HOUR)], 2, store, Date.now() - 31 * DAY);
  // A new process deletes what has expired with its first event.
  const fresh = startFunction("store-market", env);
  await deliver([positioned("OLD", "old", 0)], 1, fresh);
  await fresh.stop();
  expect(await db.collection("bars").countDocuments({ _id: { $regex: "^OLD/" } as never })).toBe(0);
  expect(await db.collection("alerts").countDocuments({ symbol: "OLD" })).toBe(0);
  for (const name of ["bars", "alerts", "symbols"])
    expect(await db.collection(name).indexes()).toContainEqual(
      expect.objectContaining({ key: { expireAt: 1 }, expireAfterSeconds: 0 }),
    );
  expect((await db.collection("alerts").indexes()).map(({ key }) => key)).toEqual(
    expect.arrayContaining([
      { timestamp: -1, _id: -1 },
      { symbol: 1, timestamp: -1, _id: -1 },
    ]),
  );
});

test("where the market does not run, nothing names its routes", async () => {
  const paths = ["/symbols", "/positions", "/alerts"];
  for (const [pipelines, there] of [
    ["sensor", false],
    ["sensor,market", true],
  ] as const) {
    const fns = ["read-root", "read-openapi"].map((name) => startFunction(name, { ...env, PIPELINES: pipelines }));
    try {
      const body = async (at: number, event: unknown): Promise<Record<string, Record<string, unknown>>> =>
        JSON.parse((await fns[at]!.invoke<{ body: string }>(event)).body);
      const { links } = await body(0, restEvent("/"));
      expect(paths.map((path) => Object.values(links!).includes(path))).toEqual(paths.map(() => there));
      const document = await body(1, restEvent("/openapi.json"));
      expect(paths.map((path) => path in document["paths"]!)).toEqual(paths.map(() => there));
      const posted = await body(0, restEvent("/{proxy+}", { method: "POST", path: "/symbols" }));
      expect(posted["status"]).toBe(there ? 405 : 404);
    } finally {
      await Promise.all(fns.map((fn) => fn.stop()));
    }
  }
}, 60_000);

test("a store that does not answer gives 503", async () => {
  const unreachable = startFunction("read-market", {
    ...env,
    MONGODB_URI: "mongodb://127.0.0.1:9/?retryWrites=false",
    LOG_LEVEL: "error",
  });
  try {
    const answers = await Promise.all(
      [
        restEvent("/symbols"),
        restEvent("/symbols/{symbol}/bars", { pathParameters: { symbol: "X" } }),
        restEvent("/positions", { query: { account: "a" } }),
        restEvent("/alerts"),
      ].map((event) => unreachable.invoke<{ statusCode: number }>(event)),
    );
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([503, 503, 503, 503]);
  } finally {
    await unreachable.stop();
  }
});
