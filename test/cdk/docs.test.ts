import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { estimate, totalDollars } from "../../lib/cost/estimate.ts";
import { inventoryOf } from "../../lib/cost/inventory.ts";
import { prices, PRICES_AS_OF, sources } from "../../lib/cost/prices.ts";
import { ACCEPTED_FINDINGS_FILE, type AcceptedFinding } from "../../lib/platform/checks.ts";
import { environments, root, synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;
const page = (name: string): string => readFileSync(join(root, "docs", name), "utf8");

/** The cells of those table rows whose first cell matches. */
function rows(text: string, first: RegExp): string[][] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter(([cell = ""]) => first.test(cell));
}

describe("docs/security.md", () => {
  const counted: Record<string, Record<string, number>> = {};
  beforeAll(async () => {
    for (const env of environments) {
      const found = JSON.parse(
        readFileSync(join((await synthesised(env)).folder, ACCEPTED_FINDINGS_FILE), "utf8"),
      ) as AcceptedFinding[];
      expect(found.filter(({ reason }) => reason.length < 20)).toEqual([]);
      for (const { rule } of found)
        (counted[rule] ??= { dev: 0, staging: 0, prod: 0 })[env] = (counted[rule]?.[env] ?? 0) + 1;
    }
  }, LIMIT_MS);

  test("counts the findings that are accepted, per rule and environment", () => {
    const documented = Object.fromEntries(
      rows(page("security.md"), /^[A-Z]+\d+$/).map(([rule = "", dev, staging, prod]) => [
        rule,
        { dev: Number(dev), staging: Number(staging), prod: Number(prod) },
      ]),
    );
    expect(documented).toEqual(counted);
  });

  // A finding is fixed before another one is accepted.
  test.each([
    ["dev", 149],
    ["staging", 149],
    ["prod", 162],
  ] as const)("are in %s no more than %d", (env, most) => {
    expect(Object.values(counted).reduce((sum, of) => sum + of[env], 0)).toBeLessThanOrEqual(most);
  });
});

test("docs/deployment.md says what the environments' configs say", () => {
  const documented = Object.fromEntries(
    rows(page("deployment.md"), /^(zones|operators|input|processor|live|concurrency|market$|logs)/).map(
      ([what = "", ...cells]) => [what, cells],
    ),
  );
  const configs = environments.map((env) => environment(env));
  expect(documented["zones, NAT gateways"]).toEqual(
    configs.map(({ zones, network }) => `${zones.length}, ${network.natGateways || "none"}`),
  );
  expect(documented["operators' API"]).toEqual(configs.map(({ operatorsApi }) => (operatorsApi ? "yes" : "no")));
  expect(documented["input partitions"]).toEqual(configs.map(({ kafka }) => String(kafka.partitions.imuData ?? 10)));
  expect(documented["processor tasks"]).toEqual(
    configs.map(({ processor: { sensor } }) => `${sensor?.minTasks}–${sensor?.maxTasks}`),
  );
  expect(documented["live tasks"]).toEqual(configs.map(({ live }) => `${live.minTasks}–${live.maxTasks}`));
  expect(documented["concurrency reserved for functions"]).toEqual(
    configs.map(({ functions }) => (functions.reserveConcurrency ? "yes" : "no")),
  );
  expect(documented["market"]).toEqual(
    configs.map(({ processor, market }) => {
      if (processor.market === null) return "–";
      return market.generateTrades ? "runs, with made-up trades" : "runs";
    }),
  );
  expect(documented["logs"]).toEqual(configs.map(({ logRetentionDays }) => `${logRetentionDays} days`));
});

test(
  "docs/deployment.md says of each step to the first reading what it costs, and how it fails",
  async () => {
    const text = page("deployment.md");
    const section = text.slice(text.indexOf("## First reading"), text.indexOf("## The stacks"));
    const steps = [...section.matchAll(/^(\d+)\. /gm)].map(([, step]) => step!);
    expect(steps.length).toBeGreaterThan(7);
    const found = rows(section, /^(\d+|end)$/);
    expect(found.map(([step]) => step)).toEqual([...steps, "end"]);
    for (const [step, , costs, fails, then] of found)
      expect([step, costs === "", fails === "", then === ""]).toEqual([step, false, false, false]);
    // The hour of the estimate, and that its month is below what the budget warns at.
    const config = environment("dev");
    const { templates } = await synthesised("dev");
    const resources = Object.values(templates).flatMap(({ Resources }) => Object.values(Resources));
    const load = {
      sensors: 1,
      rateHz: 200,
      batchMs: 1_000,
      format: "packed",
      viewers: 10,
      users: 10,
      requestsPerSecond: 1,
    } as const;
    const month = totalDollars(estimate(inventoryOf(resources, config), config, { ...load, trades: 0, symbols: 100 }));
    const hour = Number(/\$([\d.]+) an hour/.exec(found.find(([step]) => step === "5")![2]!)?.[1]);
    expect(Math.abs(hour - month / 730)).toBeLessThan(0.15);
  },
  LIMIT_MS,
);

// A budget that is spent by what an environment costs without any load keeps it from being deployed.
test.each(environments)(
  "the budget of %s is above what it costs when nothing happens, and does not warn of that",
  async (env) => {
    const config = environment(env);
    const { templates } = await synthesised(env);
    const resources = Object.values(templates).flatMap(({ Resources }) => Object.values(Resources));
    const none = { sensors: 0, rateHz: 0, batchMs: 1_000, format: "packed", viewers: 0, users: 0 } as const;
    const load = { ...none, requestsPerSecond: 0, trades: 0, symbols: 0 };
    const month = totalDollars(estimate(inventoryOf(resources, config), config, load));
    expect(month).toBeGreaterThan(500);
    expect(config.budget!.monthlyDollars * 0.8).toBeGreaterThan(month);
  },
  LIMIT_MS,
);

test("every price has a source, and all have a date", () => {
  expect(PRICES_AS_OF).toMatch(/^\d{4}-\d{2}$/);
  for (const { source, dollars } of Object.values(prices)) {
    expect(sources[source]).toMatch(/^https:\/\/aws\.amazon\.com\//);
    expect(dollars).toBeGreaterThan(0);
  }
});
