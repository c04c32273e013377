import { beforeEach, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import { eventually } from "../support/eventually.ts";
import { usePage, type Stage } from "./browser.ts";
import { now } from "./market-records.ts";

let api: Stage["api"];
let page: Page;
let open: Stage["open"];

const stage = usePage();
beforeEach(async () => {
  ({ api, open } = stage());
  api.data.sensors = ["s10", "s2", "s1"].map((sensorId) => ({
    sensorId,
    firstSeen: now,
    lastSeen: now,
    sessions: 1,
    samples: 1_500,
    rejected: 0,
  }));
  api.data.sessions = [
    {
      sensorId: "s1",
      sessionId: `s1@${now}`,
      status: "ended",
      start: now,
      end: now + 12_500,
      samples: 1_250,
      revision: 0,
      warnings: [{ code: "acceleration-in-g", message: "the acceleration looks like g" }],
      supersedes: [],
    },
  ];
  page = await open("");
});

async function panels(): Promise<(string | null)[]> {
  return page.locator("#panels article").evaluateAll((all) => all.map((one) => one.getAttribute("data-sensor")));
}

test("the first two sensors are shown, with what arrives and their sessions", async () => {
  await eventually(async () => {
    expect(await panels()).toEqual(["s1", "s2"]);
    expect([...api.subscriptions]).toEqual(["s1", "s2"]);
  });
  const column = [0, 1, 2];
  api.send(
    { type: "samples", data: { sensorId: "s1", t: [now, now + 10, now + 20], ax: column, accMag: column } },
    { type: "samples", data: { sensorId: "s10", t: [now], ax: [0] } },
  );
  await eventually(async () => {
    expect(await page.locator("#metric-items").textContent()).toBe("3");
  });
  expect(await page.locator("#sessions tr").textContent()).toMatch(/^s1.*12\.5 s1,250ended.*acceleration in g/);
  await page.getByText("the acceleration looks like g").waitFor();
});

test("the other view gets the live feed while it is shown, and the sensors are as they were afterwards", async () => {
  await eventually(() => {
    expect([...api.subscriptions]).toEqual(["s1", "s2"]);
  });
  await page.getByRole("button", { name: "s2", exact: false }).click();
  await page.getByRole("link", { name: "Market" }).click();
  await page.getByText("No trade has arrived yet.").waitFor();
  expect([...api.subscriptions]).toEqual([]);
  await page.getByRole("link", { name: "Sensors" }).click();
  await eventually(() => {
    expect([...api.subscriptions]).toEqual(["s1"]);
  });
  expect(await panels()).toEqual(["s1"]);
});

test("a refresh keeps the focus in the list of sensors", async () => {
  await page.locator("#sensors button").nth(1).focus();
  api.data.sensors = [...api.data.sensors, { ...api.data.sensors[0]!, sensorId: "s0" }];
  await eventually(async () => {
    expect(await page.locator("#sensor-count").textContent()).toBe("4");
  });
  expect(await page.evaluate("document.activeElement.dataset.name")).toBe("s2");
});

test("where the API wants a token, the page asks for one, and connects with a ticket", async () => {
  api.token = "a.b.c";
  await api.stop();
  await api.start();
  page = await open("");
  await page.getByLabel("Access token").fill("a.b.c");
  await page.getByRole("button", { name: "Continue" }).click();
  await eventually(async () => {
    expect(await panels()).toEqual(["s1", "s2"]);
    expect([...api.subscriptions]).toEqual(["s1", "s2"]);
  });
});
