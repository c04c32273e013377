import { beforeEach, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import type { DeadLetter } from "../../domain/api.ts";
import { eventually } from "../support/eventually.ts";
import { greyed, saysThatApiIsAway } from "./away.ts";
import { usePage, type Stage } from "./browser.ts";
import { now } from "./market-records.ts";
import { listedWindow, sessionOf, stretchOf } from "./sensor-records.ts";

const MINUTE = 60_000;
/** What the page believes the time to be. */
const today = now + 30_000;

let api: Stage["api"];
let page: Page;
let open: Stage["open"];

const clock = (ms: number): string => new Date(ms).toLocaleTimeString("en-US", { timeZone: "UTC" });

const stage = usePage();
beforeEach(() => {
  ({ api, open } = stage());
  api.data.sensors = [
    { sensorId: "s1", firstSeen: now - 86_400_000, lastSeen: now + 29_000, sessions: 7, samples: 12_345, rejected: 2 },
  ];
});

const letter: DeadLetter = {
  id: "imu-data-all/3/1234/0",
  at: now,
  code: "out-of-range",
  message: "az is 999",
  stage: "sensor",
  sensorId: "s1",
  symbol: null,
  source: { topic: "imu-data-all", partition: 3, offset: 1_234 },
  mqttTopic: null,
  log: { partition: 3, offset: 9 },
  bytes: 1,
  contentType: null,
  traceparent: null,
  advice: "Send m/s².",
  payload: null,
  isCut: false,
};

test("a sensor's day: windows, activity, gaps, revisions, sessions, rejected messages and features", async () => {
  // Ten seconds, of which three are missing; the newest first.
  api.data.windows = [0, 1, 2, 3, 4, 8, 9]
    .map((second) =>
      listedWindow("s1", now + second * 1_000, second, second === 4 ? { revision: 3, cause: "late" } : {}),
    )
    .toReversed();
  api.data.activity = [stretchOf("s1", now, now + 4_000, "WALKING")];
  api.data.sessions = [sessionOf("s1", now, now + 9_990)];
  api.data.deadLetters = [letter];
  api.data.features = [{ sensorId: "s1", eventTime: now + 10_000, features: { accMag_mean: 9.5, gx_std: 0.25 } }];
  page = await open("#/sensor/s1");
  await page.getByRole("heading", { name: "s1", exact: true }).waitFor();
  await page.getByText("All 7 windows of 1.0 s.").waitFor();
  const text = async (selector: string): Promise<string> => (await page.locator(selector).allTextContents()).join("|");
  expect(await text("#sensor-view .figures >> nth=0")).toContain("readings in sessions that ended12,345");
  expect(await text("#gaps li")).toBe(`${clock(now + 5_000)} to ${clock(now + 8_000)}, 3.0 s`);
  expect(await text("#revisions")).toBe(
    `1 of 7 windows were corrected by late readings, the newest at ${clock(now + 4_000)}.`,
  );
  expect(await text("#windows tr >> nth=2")).toBe(`${clock(now + 4_000)}1004.000.004.003lateStory`);
  expect(await text("[data-session]")).toMatch(/^s1.*10\.0 s999ended0Story$/);
  expect(await text("#sensor-view .letters")).toContain("out-of-range sensor az is 999");
  expect(await text("#sensor-view .figures >> nth=1")).toBe("accMag_mean9.5 m/s²gx_std0.25 rad/s");
  expect(await page.getByRole("img", { name: "Acceleration of s1, 7 windows" }).count()).toBe(1);
  expect(await page.locator("details tr").filter({ hasText: "walking 90 %" }).textContent()).toContain("4.0 s");
  expect(await page.getByRole("link", { name: "All of them" }).getAttribute("href")).toBe("#/rejected?sensorId=s1");
  expect(await page.getByRole("link", { name: "Live charts" }).getAttribute("href")).toBe("#/live?sensors=s1");
});

test("a time is chosen by its address: a minute has all of its windows, a day an even part", async () => {
  // One window of each second of the last five minutes, and of each minute of the day before.
  const [recent, day] = [300, 1_440].map((count) => Array.from({ length: count }, (_, i) => i + 1));
  api.data.windows = [
    ...recent!.map((i) => listedWindow("s1", today - i * 1_000, 1)),
    ...day!.filter((i) => i > 5).map((i) => listedWindow("s1", today - i * MINUTE, 1)),
  ];
  api.data.sessions = [
    sessionOf("s1", today - 3_600_000, today - 1_000),
    sessionOf("s1", today - 9_000_000, today - 7_200_000),
  ];
  page = await open("#/sensor/s1?range=1m");
  await page.getByText("All 60 windows of 1.0 s.").waitFor();
  await page.getByLabel("10 minutes").check();
  await page.getByText(/^All 30\d windows of 1\.0 s\.$/).waitFor();
  await page.getByLabel("24 hours").check();
  expect(new URL(page.url()).hash).toBe("#/sensor/s1?range=24h");
  // 86,400 s in 240 steps: one every six minutes.
  await page.getByText(/^2\d\d windows of 1\.0 s: one every 6 min 0 s\.$/).waitFor();
  await page.getByText("Gaps: times between sessions").waitFor();
  expect(await page.locator("#gaps li").allTextContents()).toEqual([
    `${clock(today - 7_200_000)} to ${clock(today - 3_600_000)}, 60 min 0 s`,
  ]);
});

test("a silent sensor shows the time before it fell silent, and one that is not there says so", async () => {
  const silence = now - 2 * 3_600_000;
  api.data.sensors = [{ ...api.data.sensors[0]!, lastSeen: silence }];
  api.data.windows = [listedWindow("s1", silence - 1_000, 1)];
  page = await open("#/sensor/s1?range=1m");
  await page.getByText("All 1 windows of 1.0 s.").waitFor();
  expect(await page.locator("#sensor-view .status").first().textContent()).toBe(`silent since ${clock(silence)}`);
  page = await open("#/sensor/s2");
  await page.getByText("No sensor s2 has been heard yet.").waitFor();
  api.data.sensors = [...api.data.sensors, { ...api.data.sensors[0]!, sensorId: "s2" }];
  await page.getByText("There are none in this time.").waitFor();
  page = await open("#/sensor/s%202");
  await page.getByText("s 2 is no sensor id").waitFor();
});

test("a refresh keeps the focus and what is open", async () => {
  api.data.windows = [listedWindow("s1", now, 1)];
  page = await open("#/sensor/s1?range=1m");
  await page.getByText("All 1 windows of 1.0 s.").waitFor();
  const summary = page.locator("summary").filter({ hasText: "The newest windows" });
  await summary.press("Enter");
  api.data.windows = [listedWindow("s1", now + 1_000, 1), ...api.data.windows];
  await page.getByText("All 2 windows of 1.0 s.").waitFor();
  expect(await page.locator("#windows tr").count()).toBe(2);
  await eventually(async () => {
    expect(await page.evaluate("document.activeElement.tagName")).toBe("SUMMARY");
    expect(await page.locator("#windows").isVisible()).toBe(true);
  });
});

test("an API that is away is said, what is old is greyed, and what was missed is there when it is back", async () => {
  api.data.windows = [listedWindow("s1", now, 1)];
  api.data.sessions = [sessionOf("s1", now, now + 990)];
  api.data.deadLetters = [letter];
  api.data.features = [{ sensorId: "s1", eventTime: now, features: { accMag_mean: 9.5 } }];
  page = await open("#/sensor/s1?range=1m");
  await page.getByText("All 1 windows of 1.0 s.").waitFor();
  const parts = [
    "#sensor-view .status",
    ".figures",
    ".chart",
    "#gaps",
    "[data-session]",
    ".letters",
    "#features-title",
  ];
  expect(await greyed(page, parts)).toEqual([]);
  await api.stop();
  await saysThatApiIsAway(page);
  expect(await greyed(page, parts)).toEqual(parts);
  expect(await page.locator("#sensor-title").textContent()).toBe("s1");
  api.data.windows = [listedWindow("s1", now + 1_000, 1), ...api.data.windows];
  await api.start();
  await page.getByText("All 2 windows of 1.0 s.").waitFor();
  await page.locator("#loss").waitFor({ state: "hidden" });
  expect(await greyed(page, parts)).toEqual([]);
});

test("a page that is opened while the API is away says so, and is there when it is back", async () => {
  await api.stop();
  page = await open("#/sensor/s1?range=1m");
  await saysThatApiIsAway(page);
  expect(await page.locator("#sensor-view [role=status]").textContent()).toBe("Reading …");
  await api.start();
  await page.getByText("There are none in this time.").waitFor();
});
