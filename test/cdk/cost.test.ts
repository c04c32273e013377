import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { estimate, HOURS } from "../../lib/cost/estimate.ts";
import { inventoryOf, type Inventory } from "../../lib/cost/inventory.ts";
import { prices, PRICES_AS_OF, sources, type Price } from "../../lib/cost/prices.ts";
import { comparisonReport, costReport } from "../../lib/cost/report.ts";
import type { Workload } from "../../lib/cost/workload.ts";
import { synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;
const idle: Workload = {
  sensors: 0,
  rateHz: 200,
  batchMs: 1_000,
  format: "packed",
  viewers: 0,
  requestsPerSecond: 0,
  users: 0,
  trades: 0,
  symbols: 100,
};

describe("the cost of dev", () => {
  const config = environment("dev");
  let inventory: Inventory;
  beforeAll(async () => {
    inventory = inventoryOf(
      Object.values((await synthesised("dev")).templates).flatMap(({ Resources }) => Object.values(Resources)),
      config,
    );
  }, LIMIT_MS);
  const dollars = (load: Workload, service: string): number =>
    estimate(inventory, config, load)
      .filter((line) => line.service === service)
      .reduce((sum, line) => sum + line.dollars, 0);

  test("is counted from its templates", () => {
    // Bridge, two processors and live: four tasks of one vCPU and 2 GB, two of them with a public address.
    // Eight endpoints in two zones.
    expect(inventory).toMatchObject({
      tasks: 4,
      vcpus: 4,
      memoryGb: 8,
      publicTasks: 2,
      natGateways: 0,
      endpointZones: 16,
      keys: 4,
      secrets: 1,
      documentInstances: 1,
      documentMinDcu: 0.5,
      // Fourteen topics of ten partitions, and one of one.
      partitions: 141,
      eventSourceMappings: 27,
      deliveryStreams: 9,
      webAclRules: 4,
    });
  });

  test("without sensors is that of the cluster, the tasks and the network", () => {
    // By hand: 730 × $0.75 and 141 partitions × 730 × $0.0015; 4 × 730 × $0.03238 and 8 × 730 × $0.00356.
    expect(dollars(idle, "MSK Serverless")).toBeCloseTo(547.5 + 154.395, 6);
    expect(dollars(idle, "Fargate")).toBeCloseTo(94.5496 + 20.7904, 6);
    expect(dollars(idle, "Network")).toBeCloseTo(16 * HOURS * 0.01 + 2 * HOURS * 0.005, 6);
  });

  test("of the lake's small files is that of a task of three minutes in each hour", () => {
    expect(inventory.hourlyTask).toEqual({ vcpus: 1, memoryGb: 8, diskGb: 200 });
    // 36.5 hours a month; 180 GB are beyond the 20 that cost nothing. 730 runs × 9 tables × 6 requests.
    const task = 36.5 * (0.03238 + 8 * 0.00356 + 180 * 0.000111);
    expect(dollars(idle, "Lake's small files")).toBeCloseTo(task + 39.42 * 0.005, 6);
  });

  test("of Cognito is that of who signs in, where there is a user pool", () => {
    expect(dollars({ ...idle, users: 40 }, "Cognito")).toBeCloseTo(0.6, 6);
    expect(estimate({ ...inventory, userPools: 0 }, config, { ...idle, users: 40 })).toEqual(
      estimate({ ...inventory, userPools: 0 }, config, idle),
    );
  });

  test("of IoT Core is that of three metered messages in units of 5 KB, by tiers", () => {
    // 1,000 sensors, each a packed second of 200 readings: 60 + 4,800 bytes, one unit.
    // 2,628 million messages a month, three times: 7,884 million.
    const load = { ...idle, sensors: 1_000 };
    const connections = ((1_002 * HOURS * 60) / 1_000_000) * 0.08;
    expect(dollars(load, "IoT Core")).toBeCloseTo(1_000 + 4_000 * 0.8 + 2_884 * 0.7 + connections, 4);
    expect(dollars({ ...load, batchMs: 100 }, "IoT Core")).toBeGreaterThan(8 * dollars(load, "IoT Core"));
  });

  test("of trades is that of the bus, its archive and the queue, and nothing where the market does not run", () => {
    // 10 a second are 26.28 million a month, of 450 bytes each: 11.826 GB through the archive, which keeps seven days:
    // 10 × 450 × 86,400 × 7 bytes.
    const load = { ...idle, trades: 10 };
    expect(dollars(load, "EventBridge")).toBeCloseTo(26.28 + 11.826 * 0.1 + 2.7216 * 0.023, 6);
    // Sent alone, received and deleted in tens; and five pollers that ask every 20 s: 0.657 million a month.
    expect(dollars(load, "SQS")).toBeCloseTo((1.2 * 26.28 + 0.657) * 0.4, 6);
    const without = environment("prod");
    for (const service of ["EventBridge", "SQS"])
      expect(estimate(inventory, without, load).filter((line) => line.service === service)).toEqual([]);
    expect(estimate(inventory, without, load)).toEqual(estimate(inventory, without, idle));
  });

  test("of functions is that of an invocation for each event that is gathered", () => {
    // 100 windows, inferences and messages a second, and a tick for each of ten partitions of both inputs. An event is
    // gathered from its first record on: by the lake for 5 s (of four topics), of windows by store and features for
    // 2 s, of inferences by the store for 5 s, of windows and inferences by the audit for 10 s.
    const load = { ...idle, sensors: 100 };
    const events = 1 / (5 + 1 / 110) + 3 / (5 + 1 / 100) + 1 / (5 + 1 / 10) + 2 / (2 + 1 / 100) + 2 / (10 + 1 / 100);
    const lines = estimate(inventory, config, load).filter(({ service }) => service === "Lambda");
    const quantities = Object.fromEntries(lines.map(({ what, quantity }) => [what, quantity]));
    expect(quantities["requests"]).toBeCloseTo(2.628 * events, 9);
    // 20 ms an event and 0.4 ms a record; the lake's function has a GB, the others half of one.
    const lake = 0.02 * (1 / (5 + 1 / 110) + 2 / (5 + 1 / 100) + 1 / (5 + 1 / 10)) + 0.0004 * (110 + 200 + 10);
    const others = 0.02 * (2 / (2 + 1 / 100) + 1 / (5 + 1 / 100) + 2 / (10 + 1 / 100)) + 0.0004 * 500;
    expect(quantities["duration"]).toBeCloseTo(2_628_000 * (lake + others / 2), 3);
    expect(quantities["event pollers"]).toBe(7 * HOURS);
  });

  test("of features is that of the newest window of each sensor in an event", () => {
    // Two units of 1 KB each. 100 sensors' events are two seconds apart, so half of the windows are written. 30,000
    // sensors' are full before that: seven pollers of 5 MB/s, whose events of 6 MB hold 0.7 s. All are written.
    const written = (sensors: number): number => dollars({ ...idle, sensors }, "Feature Store");
    expect(written(100)).toBeCloseTo((2 * 100 * 2.628 * 1.25) / 2.01, 6);
    expect(written(30_000)).toBeCloseTo(2 * 30_000 * 2.628 * 1.25, 6);
    // 100 symbols have two bars a minute, each alone in its event. A bar has one unit.
    expect(dollars({ ...idle, trades: 10 }, "Feature Store")).toBeCloseTo((200 / 60) * 2.628 * 1.25, 6);
  });

  test("of Firehose is that of packed records in units of 5 KB", () => {
    // 100 sensors: an event of the raw log has 110 × 5.00909 = 551 rows of 487,000 / 110 × 1.37 + 200 = 6,265.4 bytes:
    // three records of 163 rows (200 units) and one of 62 (76). One of windows has 501 rows of 1,300 bytes: a record
    // of 500 rows (127) and one of one; one of inferences 501 of 330 bytes (33 and one). The market's ticks: 51 rows
    // of 337 bytes (4).
    const units = 676 / (5 + 1 / 110) + (128 + 34) / (5 + 1 / 100) + 4 / (5 + 1 / 10);
    const bytes = 110 * 6_265.3636363 + 100 * (1_300 + 330) + 10 * 337;
    const gb = (perSecond: number): number => (perSecond * 2_628_000) / 1e9;
    expect(dollars({ ...idle, sensors: 100 }, "Firehose")).toBeCloseTo(
      gb(units * 5_120) * (0.029 + 0.018) + gb(bytes) * 0.02 + 320 * 0.001 * HOURS * 0.07,
      4,
    );
  });

  test("is told with the source and the month of each price, and the address of each source", () => {
    const load = { ...idle, trades: 10 };
    const report = costReport({ environment: "dev", lines: estimate(inventory, config, load) }, load).split("\n");
    const priced = report.filter((line) => line.includes(" per ") && line.startsWith("  "));
    expect(priced.length).toBeGreaterThan(20);
    const named = priced.map((line) => /\(([a-zA-Z0-9]+), (\d{4}-\d{2})\)$/.exec(line)?.[1]);
    expect(named).not.toContain(undefined);
    for (const source of new Set(named))
      expect(report.some((line) => line.startsWith(`- ${source}: https://aws.amazon.com/`))).toBe(true);
    expect(report).toContain(
      `  ${"trades".padEnd(30)}${"26.28".padStart(14)} × 1 per million events of 64 KB (eventBridge, 2026-06)`,
    );
  });
});

test("two environments are compared by service and line, the greatest difference first", () => {
  const line = (service: string, what: string, price: "key" | "alarm" | "natHour", dollars: number) =>
    ({ service, what, price, dollars, quantity: 1 }) as const;
  const report = comparisonReport(
    {
      environment: "dev",
      lines: [line("Keys", "keys", "key", 4), line("Watch", "alarms", "alarm", 9), line("Watch", "more", "alarm", 1)],
    },
    {
      environment: "prod",
      lines: [
        line("Keys", "keys", "key", 3.5),
        line("Watch", "alarms", "alarm", 9.25),
        line("Net", "NAT", "natHour", 98),
      ],
    },
    idle,
  ).split("\n");
  const table = report.slice(2, report.indexOf("", 2)).map((text) => text.split(/\s{2,}/));
  expect(table).toEqual([
    ["US dollars a month", "dev", "prod", "difference"],
    ["Net", "0.00", "98.00", "+98.00"],
    ["", "NAT", "0.00", "98.00", "+98.00"],
    ["Watch", "10.00", "9.25", "-0.75"],
    ["", "alarms", "9.00", "9.25", "+0.25"],
    ["", "more", "1.00", "0.00", "-1.00"],
    ["Keys", "4.00", "3.50", "-0.50"],
    ["", "keys", "4.00", "3.50", "-0.50"],
    ["in all", "14.00", "110.75", "+96.75"],
  ]);
  expect(report).toContain("- natHour: 0.045 per NAT gateway hour (vpc, 2026-06)");
  expect(report.filter((text) => text.startsWith("- alarm: "))).toHaveLength(1);
});

test("each unit price has a source with an address, and a month", () => {
  const all: readonly Price[] = Object.values(prices);
  for (const { dollars, source, asOf = PRICES_AS_OF } of all) {
    expect(dollars).toBeGreaterThan(0);
    expect(sources[source]).toMatch(/^https:\/\/aws\.amazon\.com\/[a-z0-9/-]+\/pricing\//);
    expect(asOf).toMatch(/^20\d{2}-(0[1-9]|1[0-2])$/);
  }
});
