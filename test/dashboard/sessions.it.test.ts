import { beforeEach, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import type { Session } from "../../domain/api.ts";
import { eventually } from "../support/eventually.ts";
import { greyed, saysThatApiIsAway } from "./away.ts";
import { usePage, type Stage } from "./browser.ts";
import { now } from "./market-records.ts";
import { listedWindow, sessionOf, stretchOf } from "./sensor-records.ts";

const HOUR = 3_600_000;

let api: Stage["api"];
let page: Page;
let open: Stage["open"];

const hash = (): string => new URL(page.url()).hash;
const openSession = (sensorId: string, start: number): Session =>
  sessionOf(sensorId, start, start, { status: "open", end: null, samples: null, revision: null });

/** What the rows of the list say, without activity and story. */
function rows(): Promise<string[][]> {
  return page
    .locator("#sessions-view tbody tr")
    .evaluateAll((all) =>
      all.map((row) =>
        [...(row as unknown as { cells: { textContent: string }[] }).cells].slice(0, 6).map((cell) => cell.textContent),
      ),
    );
}

const stage = usePage();
beforeEach(() => {
  ({ api, open } = stage());
  api.data.sensors = [{ sensorId: "s1", firstSeen: now, lastSeen: now + 29_000, sessions: 1, samples: 1, rejected: 0 }];
});

test("sessions are listed with date, running length, readings and activity", async () => {
  api.data.sessions = [
    openSession("s1", now - 10_000),
    sessionOf("s2", now - 2 * HOUR, now - 2 * HOUR + 90_500, { activity: { WALKING: 60, SEATED: 30 }, revision: 2 }),
    sessionOf("s1", now - 48 * HOUR, now - 45 * HOUR),
  ];
  page = await open("#/sessions");
  await eventually(async () => {
    expect(await rows()).toEqual([
      ["s1", "2:29:50 PM", "40.0 s so far", "…", "open", ""],
      ["s2", "12:30:00 PM", "90.5 s", "9,050", "ended", "2"],
      ["s1", "1/11/2026 2:30:00 PM", "3 h 0 min", "1,080,000", "ended", "0"],
    ]);
  });
  expect(await page.getByRole("img", { name: "seated 30.0 s, walking 60.0 s" }).count()).toBe(1);
});

test("the address filters by sensor, status and time, and the form follows it", async () => {
  api.data.sessions = [
    openSession("s1", now),
    sessionOf("s1", now - HOUR, now - HOUR + 1_000),
    sessionOf("s2", now - 2 * HOUR, now - 2 * HOUR + 1_000),
    sessionOf("s1", now - 9 * HOUR, now - 9 * HOUR + 1_000),
  ];
  page = await open("#/sessions?sensorId=s1");
  await eventually(async () => {
    expect(await rows()).toHaveLength(3);
  });
  expect(await page.locator(".filters").getByLabel("Sensor").inputValue()).toBe("s1");
  await page.locator(".filters").getByLabel("Status").selectOption("ended");
  await page.locator(".filters").getByLabel("From").fill("2026-01-13T12:00");
  await page.getByRole("button", { name: "Filter" }).press("Enter");
  await eventually(async () => {
    expect((await rows()).map(([sensorId, start]) => [sensorId, start])).toEqual([["s1", "1:30:00 PM"]]);
  });
  expect(hash()).toBe("#/sessions?sensorId=s1&status=ended&from=2026-01-13T12%3A00");
  await page.reload();
  expect(await page.locator(".filters").getByLabel("From").inputValue()).toBe("2026-01-13T12:00");
  await page.goBack();
  await eventually(async () => {
    expect(await rows()).toHaveLength(3);
  });
  expect(await page.locator(".filters").getByLabel("Status").inputValue()).toBe("");
  await page.locator(".filters").getByLabel("Sensor").fill("no sensor!");
  await page.keyboard.press("Enter");
  await page.getByText("no sensor! is no sensor id").waitFor();
});

test("older sessions are on the next page, with an address of its own", async () => {
  api.data.sessions = Array.from({ length: 60 }, (_, i) => sessionOf("s1", now - (i + 1) * HOUR, now - i * HOUR - 1));
  page = await open("#/sessions?status=ended");
  await eventually(async () => {
    expect(await rows()).toHaveLength(50);
  });
  await page.getByRole("link", { name: "Older" }).press("Enter");
  await eventually(async () => {
    expect(await rows()).toHaveLength(10);
  });
  expect(hash()).toBe("#/sessions?status=ended&cursor=50");
  await page.getByRole("link", { name: "Newest" }).press("Enter");
  await eventually(async () => {
    expect(await rows()).toHaveLength(50);
  });
});

test("a session's page has its facts, its trace and its activity, and leads to its story", async () => {
  const warnings = [{ code: "acceleration-in-g", message: "the acceleration looks like g" }];
  api.data.sessions = [sessionOf("s1", now, now + 3_990, { warnings, activity: { WALKING: 4 }, supersedes: ["s1@1"] })];
  api.data.windows = [3, 2, 1, 0].map((i) => listedWindow("s1", now + i * 1_000, 9));
  api.data.activity = [stretchOf("s1", now, now + 4_000, "WALKING")];
  page = await open("#/sessions");
  await page.getByRole("link", { name: "Session of s1" }).press("Enter");
  await page.getByRole("heading", { name: `s1@${now}` }).waitFor();
  expect(hash()).toBe(`#/sessions/s1%40${now}`);
  await page.getByRole("img", { name: `Acceleration of session s1@${now}, 4 windows` }).waitFor();
  const text = await page.locator("#sessions-view").textContent();
  for (const part of ["length4.0 s", "readings399", "the acceleration looks like g", "walking 4.0 s", "swallowed s1@1"])
    expect(text).toContain(part);
  expect(await page.getByRole("link", { name: "Story of the message" }).getAttribute("href")).toBe(
    `#/story/s1%40${now}`,
  );
  await page.getByRole("link", { name: "All sessions" }).press("Enter");
  await eventually(async () => {
    expect(await rows()).toHaveLength(1);
  });
});

test("an open session's page follows it to its end, and an id that is none says so", async () => {
  api.data.sessions = [openSession("s1", now)];
  page = await open(`#/sessions/s1%40${now}`);
  await page.getByText("30.0 s so far").waitFor();
  api.data.sessions = [sessionOf("s1", now, now + 12_500)];
  await page.getByText("12.5 s", { exact: true }).waitFor();
  page = await open("#/sessions/s1%401");
  await page.getByText("There is no session s1@1").waitFor();
});

test("an API that is away is said, what is old is greyed, and what was missed is there when it is back", async () => {
  api.data.sessions = [openSession("s1", now)];
  page = await open("#/sessions");
  await eventually(async () => {
    expect(await rows()).toEqual([["s1", "2:30:00 PM", "30.0 s so far", "…", "open", ""]]);
  });
  await api.stop();
  await saysThatApiIsAway(page);
  expect(await greyed(page, ["[data-session]", "#sessions-title"])).toEqual(["[data-session]"]);
  // A list that was never read is not there, and not said to be empty.
  await page.locator(".filters").getByLabel("Sensor").fill("s1");
  await page.getByRole("button", { name: "Filter" }).press("Enter");
  await page.getByText("Reading …").waitFor();
  api.data.sessions = [sessionOf("s1", now, now + 12_500)];
  await api.start();
  await eventually(async () => {
    expect(await rows()).toEqual([["s1", "2:30:00 PM", "12.5 s", "1,250", "ended", "0"]]);
  });
  await page.locator("#loss").waitFor({ state: "hidden" });
  expect(await greyed(page, ["[data-session]"])).toEqual([]);
});

test.each(["open", "ended"])("so is one whose session is %s", async (status) => {
  api.data.sessions = [status === "open" ? openSession("s1", now) : sessionOf("s1", now, now + 3_990)];
  api.data.windows = [listedWindow("s1", now, 9)];
  page = await open(`#/sessions/s1%40${now}`);
  await page.locator("#sessions-view .chart").first().waitFor();
  const parts = ["#sessions-view .status", "#sessions-view .figures", "#sessions-view .chart"];
  await api.stop();
  await saysThatApiIsAway(page);
  expect(await greyed(page, parts)).toEqual(parts);
  api.data.sessions = [sessionOf("s1", now, now + 3_990)];
  await api.start();
  await page.locator("#loss").waitFor({ state: "hidden" });
  expect(await greyed(page, parts)).toEqual([]);
  await page.getByText("4.0 s", { exact: true }).waitFor();
});
