import { beforeEach, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import { eventually } from "../support/eventually.ts";
import { usePage, type Stage } from "./browser.ts";
import { now } from "./market-records.ts";
import type { LiveMessage } from "./page-api.ts";

let api: Stage["api"];
let page: Page;
let open: Stage["open"];

const stage = usePage();
beforeEach(async () => {
  ({ api, open } = stage());
  // The page believes to be half a minute after `now`: s0 and s00 have been silent since, the others are heard.
  api.data.sensors = ["s0", "s10", "s2", "s00", "s1"].map((sensorId, i) => ({
    sensorId,
    firstSeen: now,
    lastSeen: sensorId === "s00" ? now - 5_000 : sensorId === "s0" ? now : now + 29_000 - i,
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

test("the first two sensors that are heard now are shown, with what arrives and their sessions", async () => {
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

test("sensors that are heard now come first, the others say since when they are silent", async () => {
  const silent = (ms: number): string =>
    `silent since ${new Date(ms).toLocaleTimeString("en-US", { timeZone: "UTC" })}`;
  await eventually(async () => {
    expect(await page.locator("#sensors button").allTextContents()).toEqual([
      "s1live",
      "s2live",
      "s10live",
      `s0${silent(now)}`,
      `s00${silent(now - 5_000)}`,
    ]);
  });
  expect(await page.locator("#sensor-count").textContent()).toBe("3 live of 5");
  expect(await page.locator("#panels .status").allTextContents()).toEqual(["live", "live"]);
  api.data.sensors = api.data.sensors.map((one) => (one.sensorId === "s1" ? { ...one, lastSeen: now } : one));
  await eventually(async () => {
    expect(await page.locator("#panels .status").allTextContents()).toEqual([silent(now), "live"]);
  });
  await page.getByLabel("Find a sensor").fill("s0");
  await eventually(async () => {
    expect(await page.locator("#sensors button").evaluateAll((all) => all.map((one) => one.dataset["name"]))).toEqual([
      "s0",
      "s00",
    ]);
  });
});

test("a refused message is on its sensor's panel at once, with a link to its letter", async () => {
  await eventually(() => {
    expect([...api.subscriptions]).toEqual(["s1", "s2"]);
  });
  const refused = (offset: number, seq: number | null): LiveMessage => ({
    type: "rejected",
    data: {
      sensorId: "s2",
      id: `imu-data-all/3/${offset}/0`,
      at: now,
      code: "out-of-range",
      message: "ax is 1e9: -1,000 to 1,000 are expected",
      stage: "sensor",
      seq,
      boot: null,
    },
  });
  api.send(refused(7, 41));
  const line = page.locator('[data-sensor="s2"] .rejected');
  const link = line.getByRole("link");
  await link.focus();
  expect(await line.textContent()).toMatch(
    /^Refused at .*, seq 41: out-of-range\. ax is 1e9: -1,000 to 1,000 are expected why/,
  );
  api.send(refused(8, null));
  await eventually(async () => {
    expect(await line.textContent()).toMatch(/^Refused at [^,]*: out-of-range\..* 1 before it\. why, and what to do$/);
  });
  expect(await page.locator('[data-sensor="s1"] .rejected').textContent()).toBe("");
  expect(await page.evaluate("document.activeElement.getAttribute('href')")).toBe(
    "#/rejected/imu-data-all%2F3%2F8%2F0?sensorId=s2",
  );
});

test("a lost end is said with the reason and a countdown, and its old data is greyed", async () => {
  await page.locator("#panels article").first().waitFor();
  await api.stop();
  await page.getByText(/The API has not answered since .*: there is no connection to it\./).waitFor();
  await page.getByText(/The live feed has been cut since .*: the connection was lost\./).waitFor();
  const counted = new Set<string | null>();
  await eventually(async () => {
    counted.add(await page.locator("#loss-retry").textContent());
    expect([...counted]).toEqual(expect.arrayContaining(["Next try in 3 s.", "Next try in 2 s.", "Next try in 1 s."]));
  });
  expect(await page.evaluate('getComputedStyle(document.querySelector("#panels")).filter')).toBe("grayscale(1)");
  await api.start();
  await page.locator("#loss").waitFor({ state: "hidden" });
  expect(await page.evaluate('getComputedStyle(document.querySelector("#panels")).filter')).toBe("none");
});

test("a refresh keeps the focus in the list of sensors", async () => {
  await page.locator("#sensors button").nth(1).focus();
  api.data.sensors = [...api.data.sensors, { ...api.data.sensors[2]!, sensorId: "s3" }];
  await eventually(async () => {
    expect(await page.locator("#sensor-count").textContent()).toBe("4 live of 6");
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
