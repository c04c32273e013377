import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { openCluster, partitionBounds } from "../../adapters/kafka-cluster.ts";
import { fetchRecords } from "../../adapters/kafka-records.ts";
import { createTopics } from "../../adapters/kafka-topics.ts";
import { nodeArguments } from "../../config/node.ts";
import { writeSettings } from "../../config/settings.ts";
import type { AlertRecord, BarRecord, EnrichedRecord, MarketLateRecord, PositionRecord } from "../../domain/records.ts";
import { headers, type TopicKey, topics } from "../../domain/topics.ts";
import { newMessage, sqsEvent } from "../../local/events/messages.ts";
import { startServers, type Servers } from "../../local/servers/index.ts";
import { testKafka } from "../bridge/harness.ts";
import { startFunction } from "../lambda/function-process.ts";
import { freePort } from "../local/support/program.ts";
import { eventually } from "../support/eventually.ts";
import { ExpectedMarket } from "./expected.ts";
import { CLOSING, manyTrades, type SentTrade, SYMBOLS } from "./trades.ts";

jest.setTimeout(900_000);
/** `MARKET_TRADES` in the environment sends as many; a minute on two calm cores is enough for the default. */
const TRADES = Number(process.env["MARKET_TRADES"] ?? (process.env["CI"] ? 20_000 : 100_000));
const PARTITIONS = 3;
const BATCH = 400;
const root = join(import.meta.dirname, "../..");
const outputs = ["marketEnriched", "marketAggregated", "marketPositions", "marketAlerts", "marketLate"] as const;

interface Written {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

let folder: string;
let servers: Servers;
let processor: ChildProcess;
let healthPort: number;
let expected: ExpectedMarket;
let input: string;
const written = {} as Record<TopicKey, Written[]>;

function startProcessor(): void {
  const { kafkaBrokers, dynamodbEndpoint } = servers;
  const settings = { environment: "test", pipeline: "market", kafkaBrokers, dynamodbEndpoint, healthPort } as const;
  processor = spawn(process.execPath, [...nodeArguments(), join(root, "processor/main.ts")], {
    env: { ...process.env, ...writeSettings("processor", { ...settings, logLevel: "error" }) },
    stdio: ["ignore", "ignore", "inherit"],
  });
}

async function killProcessor(): Promise<void> {
  processor.kill("SIGKILL");
  await once(processor, "exit");
}

/** What the committed records of a topic are, by partition and offset. */
async function read(topic: string): Promise<Written[]> {
  const cluster = openCluster(testKafka(servers.kafkaBrokers));
  await cluster.connect();
  const all: Written[] = [];
  try {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const { earliest, latest } = await partitionBounds(cluster, topic, partition);
      for (let at = earliest; at < latest;) {
        const { records, nextOffset } = await fetchRecords(cluster, topic, partition, at);
        for (const { offset, key, value, headers: given } of records)
          all.push({ partition, offset, key: text(key), value: text(value), headers: given });
        at = nextOffset;
      }
    }
    return all;
  } finally {
    await cluster.disconnect();
  }
}

function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString("utf8");
}

function values<T>(topic: TopicKey): T[] {
  return written[topic].map(({ value }) => JSON.parse(value!) as T);
}

async function command(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
    cwd: root,
    env: { ...process.env, KAFKA_BROKERS: servers.kafkaBrokers, LOG_LEVEL: "error" },
    maxBuffer: 1e9,
  });
  return stdout;
}

async function publish(version: string, eur: number): Promise<void> {
  const file = join(folder, `${version}.json`);
  const rules = [
    { name: "large", severity: "HIGH", kind: "trade-amount", maxUsd: 20_000 },
    { name: "restricted", severity: "CRITICAL", kind: "restricted-symbol", symbols: ["OIL"] },
  ];
  writeFileSync(file, JSON.stringify({ version, rates: { EUR: eur }, rules }));
  await command("processor/commands/reference/main.ts", "publish", file);
}

/** Sends trades by the function, in batches as a queue gives them: one that fails or dies is delivered again. */
async function send(trades: readonly SentTrade[], killAt: readonly number[]): Promise<void> {
  const start = (): ReturnType<typeof startFunction> =>
    startFunction("produce-trades", { KAFKA_BROKERS: servers.kafkaBrokers });
  let produce = start();
  for (let from = 0, batch = 0; from < trades.length; from += BATCH, batch++) {
    const messages = trades.slice(from, from + BATCH).map((detail) => {
      const event = { id: "e-1", time: "2026-01-13T14:30:45Z", "detail-type": "Trade", source: "test", detail };
      return newMessage(
        JSON.stringify({ version: "0", account: "1", region: "local", resources: [], ...event }),
        undefined,
        Date.now(),
      );
    });
    const event = sqsEvent(messages, "us-east-1");
    if (killAt.includes(batch)) {
      const lost = produce.invoke(event).catch(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      await produce.stop();
      await lost;
      produce = start();
    }
    expect(await produce.invoke(event)).toEqual({ batchItemFailures: [] });
  }
  await produce.stop();
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-market-"));
  servers = await startServers({ which: ["kafka", "dynamodb"], dataDir: join(folder, "servers") });
  const admin = testKafka(servers.kafkaBrokers).admin();
  await admin.connect();
  await createTopics(admin, { partitions: PARTITIONS });
  await admin.disconnect();
  healthPort = await freePort();
  startProcessor();
  await publish("v1", 1.1);
  const trades = manyTrades(TRADES, Date.now() - 3 * 3_600_000);
  const third = Math.floor(trades.length / 3);
  await send(trades.slice(0, third), [3, 11]);
  await killProcessor();
  startProcessor();
  await publish("v2", 1.2);
  const rest = send(trades.slice(third), [2, 9, 20]);
  await killProcessor();
  startProcessor();
  await rest;
  await killProcessor();
  startProcessor();
  await eventually(
    async () => (await read(topics.marketEnriched.name)).filter(({ value }) => value!.includes(`"${CLOSING}-`)).length,
    { until: (found) => found === SYMBOLS.length, limitMs: 300_000 },
  );
  input = join(folder, "input.ndjson");
  writeFileSync(input, await command("processor/commands/dump/main.ts", "--topic", topics.trades.name));
  for (const key of [...outputs, "deadLetter"] as const) written[key] = await read(topics[key].name);
  expected = await ExpectedMarket.of(input);
});

afterAll(async () => {
  if (processor.exitCode === null && processor.signalCode === null) await killProcessor();
  await servers.stop();
  rmSync(folder, { recursive: true, force: true });
});

type Row = Readonly<Record<string, unknown>>;

/** How two sets of rows differ, the first few: sums may do so by rounding, all else is exact. */
function differences(found: readonly Row[], wanted: readonly Row[]): string[] {
  const names = ["symbol", "operator", "start", "account", "alertId", "status"];
  const plain = (value: unknown): unknown => (typeof value === "bigint" ? Number(value) : (value ?? null));
  const byName = (rows: readonly Row[]): Map<string, Row> =>
    new Map(rows.map((row) => [names.map((name) => JSON.stringify(plain(row[name]))).join(" "), row]));
  const [ours, theirs] = [byName(found), byName(wanted)];
  const isNear = (one: unknown, other: unknown): boolean =>
    typeof one === "number" && typeof other === "number" && Math.abs(one - other) <= 1e-9 * Math.max(1, Math.abs(one));
  const different = [...new Set([...ours.keys(), ...theirs.keys()])].flatMap((name) => {
    const [one, other] = [ours.get(name), theirs.get(name)];
    if (!one || !other) return [`${name} is ${one ? "unexpected" : "missing"}`];
    return Object.keys(other).flatMap((field) => {
      const [x, y] = [plain(one[field]), plain(other[field])];
      return x === y || isNear(x, y)
        ? []
        : [`${name} ${field}: ${JSON.stringify(x)}, and by DuckDB ${JSON.stringify(y)}`];
    });
  });
  return [...(found.length === ours.size ? [] : ["some are there twice"]), ...different].slice(0, 10);
}

describe(`the market over ${TRADES} trades, its processor and its producer killed on the way`, () => {
  test("the input has what the test is about", async () => {
    expect(await expected.number("SELECT count(*) FROM judged WHERE too_late")).toBeGreaterThan(TRADES / 200);
    expect(await expected.number("SELECT count(*) FROM placed WHERE missed")).toBeGreaterThan(TRADES / 100);
    expect(await expected.number("SELECT count(*) FROM known WHERE NOT is_same")).toBeGreaterThan(TRADES / 200);
    expect(await expected.number("SELECT count(*) FROM ranked WHERE rank <= before")).toBeGreaterThan(TRADES / 30);
    expect(await expected.number("SELECT count(DISTINCT version) FROM changes")).toBe(2);
  });

  test("the highest revision of each bar is what DuckDB calculates from the log", async () => {
    const highest = new Map<string, BarRecord>();
    const revisions = new Set<string>();
    for (const bar of values<BarRecord>("marketAggregated")) {
      const name = `${bar.symbol} ${bar.operator} ${bar.window.start}`;
      expect(revisions.has(`${name} ${bar.revision}`)).toBe(false);
      revisions.add(`${name} ${bar.revision}`);
      if (bar.revision >= (highest.get(name)?.revision ?? 0)) highest.set(name, bar);
    }
    const rows = await expected.rows("SELECT * FROM bars");
    const closed = new Set(
      rows.map(({ symbol, operator, start }) => `${String(symbol)} ${String(operator)} ${Number(start)}`),
    );
    const bars = [...highest]
      .filter(([name]) => closed.has(name))
      .map(([, bar]) => {
        const { symbol, operator, window, notional, id: _i, schema: _s, revision: _r, cause: _c, ...figures } = bar;
        return { symbol, operator, start: window.start, ...figures, ...notional };
      });
    expect(differences(bars, rows)).toEqual([]);
    expect(bars.length).toBeGreaterThan(SYMBOLS.length * 60);
  });

  test("the last record of each position, and the alerts, are what DuckDB calculates", async () => {
    const last = new Map<string, PositionRecord>();
    for (const position of values<PositionRecord>("marketPositions")) {
      const name = `${position.symbol} ${position.account}`;
      expect(position.revision).toBe((last.get(name)?.revision ?? -1) + 1);
      last.set(name, position);
    }
    const rows = await expected.rows("SELECT symbol, account, quantity, notional, trades FROM positions");
    expect(
      differences(
        [...last.values()].map((position) => ({ ...position })),
        rows,
      ),
    ).toEqual([]);
    const alerts = values<AlertRecord>("marketAlerts").map(({ alertId, status }) => ({ alertId, status }));
    expect(differences(alerts, await expected.rows(`SELECT "alertId", status FROM alerts`))).toEqual([]);
    expect(alerts.length).toBeGreaterThan(0);
  });

  test("every record is in exactly one of results, late, dead letters and duplicates", async () => {
    const received = await expected.number("SELECT count(*) FROM log WHERE value IS NOT NULL");
    const duplicates = await expected.number("SELECT count(*) FROM ranked WHERE rank <= before");
    const late = values<MarketLateRecord>("marketLate");
    const tooLate = await expected.number("SELECT count(*) FROM judged WHERE too_late");
    const enriched = new Set(written.marketEnriched.map(({ value }) => sourceOf(JSON.parse(value!) as { id: string })));
    expect(enriched.size).toBe(written.marketEnriched.length);
    const wholly = new Set(late.map(sourceOf).filter((source) => !enriched.has(source)));
    expect(wholly.size).toBe(tooLate);
    const dead = written.deadLetter.map(({ headers: given }) => given[headers.errorCode]);
    expect(dead.filter((code) => code === "identity-reused").length).toBe(
      await expected.number("SELECT count(*) FROM known WHERE NOT is_same"),
    );
    expect(enriched.size + wholly.size + dead.length + duplicates).toBe(received);
    for (const operator of ["tumbling-60000", "sliding-300000-60000"]) {
      const windows = operator === "tumbling-60000" ? 1 : 5;
      const missed = await expected.number(`SELECT count(*) FROM placed WHERE missed AND operator = '${operator}'`);
      expect(late.filter((record) => record.operator === operator).length).toBe(missed + windows * tooLate);
    }
  });

  test("a trade before the new reference data has the old rate, one behind it the new one", async () => {
    const rates = values<EnrichedRecord>("marketEnriched").flatMap(({ currency, amount, amountUsd, reference }) =>
      currency === "EUR" && amount !== undefined ? `${reference} ${(amountUsd! / amount).toFixed(6)}` : [],
    );
    expect(new Set(rates)).toEqual(new Set(["v1 1.100000", "v2 1.200000"]));
  });

  test("a replay of the log gives the same bytes as Kafka has", async () => {
    const printed = await command("processor/commands/replay/main.ts", "--input", input, "--pipeline", "market");
    const replayed: Record<string, string[]> = {};
    for (const line of printed.split("\n").filter(Boolean)) {
      const { topic, key, value } = JSON.parse(line) as { topic: string; key: string; value: { id: string } };
      if (topic !== topics.deadLetter.name)
        (replayed[`${topic}/${value.id.split("/")[1]}`] ??= []).push(`${key} ${JSON.stringify(value)}`);
    }
    const kafka: Record<string, string[]> = {};
    for (const name of outputs)
      for (const { partition, key, value } of written[name])
        (kafka[`${topics[name].name}/${partition}`] ??= []).push(`${key} ${value}`);
    expect(replayed).toEqual(kafka);
  });
});

/** The record that an output comes from. */
function sourceOf({ id }: { readonly id: string }): string {
  return id.slice(0, id.lastIndexOf("/"));
}
