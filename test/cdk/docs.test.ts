import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
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

test("every price has a source, and all have a date", () => {
  expect(PRICES_AS_OF).toMatch(/^\d{4}-\d{2}$/);
  for (const { source, dollars } of Object.values(prices)) {
    expect(sources[source]).toMatch(/^https:\/\/aws\.amazon\.com\//);
    expect(dollars).toBeGreaterThan(0);
  }
});
