import { beforeEach, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import { alarms } from "../../domain/alarms.ts";
import type { AlarmStatus } from "../../local/alarms.ts";
import { eventually } from "../support/eventually.ts";
import { usePage, type Stage } from "./browser.ts";
import { now } from "./market-records.ts";

let api: Stage["api"];
let page: Page;

function alarm(name: string, more: Partial<AlarmStatus>): AlarmStatus {
  const spec = alarms.find((each) => each.name === name)!;
  return { spec, state: "ALARM", sinceMs: now, value: 1, suppressedBy: null, changes: [], ...more };
}

const stage = usePage();
beforeEach(async () => {
  const { open } = stage();
  ({ api } = stage());
  api.operations.alarms = [
    alarm("dead-letters", { value: 2 }),
    alarm("lag-sensor", { value: 61_234, suppressedBy: "brokers-gone" }),
    alarm("brokers-gone", { value: 31_000 }),
    alarm("memory", { state: "OK" }),
    alarm("duplicates", { state: "NO DATA", value: null }),
  ];
  const lag = {
    title: "Lag",
    unit: "records",
    good: "Flat",
    limit: { value: 50_000, severity: "HIGH", comparison: ">" },
    lines: [
      { label: "sensor", points: [null, 20_000, 40_000] },
      { label: "market", points: [1, 2, 3] },
    ],
  };
  api.operations.graphs = {
    stepMs: 5_000,
    atMs: now,
    dashboards: [
      { name: "health", graphs: [{ ...lag, title: "Programs down", limit: null }] },
      { name: "performance", graphs: [lag] },
      { name: "errors", graphs: [] },
      { name: "capacity", graphs: [] },
    ],
  };
  page = await open("");
  await page.getByRole("link", { name: "Operations" }).click();
});

test("alarms that are on are listed, the most severe first, with what explains them and a runbook", async () => {
  await eventually(async () => {
    expect(await page.locator("#alarms tr").count()).toBe(3);
  });
  const rows = await page.locator("#alarms tr").allTextContents();
  expect(rows[0]).toMatch(/^CRITICALbrokers-gone.*31K ms> 30K.*\d:\d\d:\d\d.*runbook$/);
  expect(rows[1]).toMatch(/^HIGHlag-sensor.*\(explained by brokers-gone\)61\.2K records> 50K/);
  expect(rows[2]).toMatch(/^LOWdead-letters/);
  expect(await page.locator("#alarms-of").textContent()).toBe("3 of 5 are on, 1 have no data");
  const runbook = await page.locator("#alarms a").first().getAttribute("href");
  const answer = await page.request.get(new URL(runbook!, page.url()).href);
  expect([answer.status(), answer.headers()["content-type"]]).toEqual([200, "text/plain; charset=utf-8"]);
  expect(await answer.text()).toContain("## How to know that it is over");
});

test("each dashboard shows its graphs with what good looks like, and a threshold that is near", async () => {
  await page.getByRole("heading", { name: "Programs down" }).waitFor();
  await page.getByRole("link", { name: "Performance" }).click();
  const panel = page.locator("#graphs article");
  await panel.getByRole("img", { name: "Lag" }).waitFor();
  expect(await panel.locator(".legend").textContent()).toBe("sensor 40Kmarket 3");
  expect(await panel.locator(".hint").textContent()).toBe("Good: Flat. HIGH at > 50K.");
  // 50,000 is near 40,000, and above it in the picture: a smaller y.
  const y = async (selector: string): Promise<number> => Number(await panel.locator(selector).getAttribute("y1"));
  expect(await y(".limit")).toBeLessThan(await y(".grid >> nth=1"));
  // The first point is missing, so that the line begins at the second.
  expect((await panel.locator("path.line-0").getAttribute("d"))?.match(/[ML]/g)).toEqual(["M", "L"]);
});
