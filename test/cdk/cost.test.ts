import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { estimate, HOURS } from "../../lib/cost/estimate.ts";
import { inventoryOf, type Inventory } from "../../lib/cost/inventory.ts";
import type { Workload } from "../../lib/cost/workload.ts";
import { synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;
const idle: Workload = { sensors: 0, rateHz: 200, batchMs: 1_000, format: "packed", viewers: 0, requestsPerSecond: 0 };

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
    // Seven endpoints in two zones.
    expect(inventory).toMatchObject({
      vcpus: 4,
      memoryGb: 8,
      publicTasks: 2,
      natGateways: 0,
      endpointZones: 14,
      keys: 4,
      secrets: 1,
      documentInstances: 1,
      documentMinDcu: 0.5,
      // Fourteen topics of ten partitions, and one of one.
      partitions: 141,
      eventSourceMappings: 22,
      deliveryStreams: 9,
      webAclRules: 4,
    });
  });

  test("without sensors is that of the cluster, the tasks and the network", () => {
    // By hand: 730 × $0.75 and 141 partitions × 730 × $0.0015; 4 × 730 × $0.03238 and 8 × 730 × $0.00356.
    expect(dollars(idle, "MSK Serverless")).toBeCloseTo(547.5 + 154.395, 6);
    expect(dollars(idle, "Fargate")).toBeCloseTo(94.5496 + 20.7904, 6);
    expect(dollars(idle, "Network")).toBeCloseTo(14 * HOURS * 0.01 + 2 * HOURS * 0.005, 6);
  });

  test("of IoT Core is that of three metered messages in units of 5 KB, by tiers", () => {
    // 1,000 sensors, each a packed second of 200 readings: 60 + 4,800 bytes, one unit.
    // 2,628 million messages a month, three times: 7,884 million.
    const load = { ...idle, sensors: 1_000 };
    const connections = ((1_002 * HOURS * 60) / 1_000_000) * 0.08;
    expect(dollars(load, "IoT Core")).toBeCloseTo(1_000 + 4_000 * 0.8 + 2_884 * 0.7 + connections, 4);
    expect(dollars({ ...load, batchMs: 100 }, "IoT Core")).toBeGreaterThan(8 * dollars(load, "IoT Core"));
  });
});
