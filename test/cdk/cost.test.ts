import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { estimate, HOURS } from "../../lib/cost/estimate.ts";
import { inventoryOf, type Inventory } from "../../lib/cost/inventory.ts";
import { costReport } from "../../lib/cost/report.ts";
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
      eventSourceMappings: 25,
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

  test("is told with the source and the month of each price, and the address of each source", () => {
    const load = { ...idle, trades: 10 };
    const report = costReport("dev", load, estimate(inventory, config, load)).split("\n");
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
