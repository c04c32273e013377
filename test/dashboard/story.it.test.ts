import { beforeEach, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import type { DeadLetter } from "../../domain/api.ts";
import type { ArrivalStory } from "../../processor/commands/trace/story.ts";
import type { Story } from "../../processor/commands/trace/tell.ts";
import { usePage, type Stage } from "./browser.ts";
import { now } from "./market-records.ts";

let api: Stage["api"];
let open: Stage["open"];
let page: Page;

const iso = (time: number): string => new Date(time).toISOString();
const identity = { key: "s1", seq: 17, boot: "a1", tradeId: null };
const accepted: ArrivalStory = {
  place: "imu-data-all/3/1234",
  offset: 1_234,
  subject: { identity, times: { first: now, last: now + 90 }, readings: 10 },
  appendedAt: now + 103,
  ingestMs: now + 101,
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  reinjectedFrom: null,
  bytes: 1_204,
  letters: [],
  outputs: [
    {
      topic: "aggregated",
      place: "sensor-data-aggregated/3/7",
      id: "imu-data-all/3/1249/0",
      at: now + 1_540,
      role: "holds",
      what: "window tumbling-1000, 100 in it, cause watermark",
    },
    {
      topic: "sessions",
      place: "new-session-topic/3/2",
      id: "imu-data-all/3/1234/0",
      at: now + 109,
      role: "caused",
      what: "session s1@5 ended, 30 samples, cause watermark",
    },
  ],
  verdict: "accepted",
  why: "its readings are in the outputs below",
};
const story: Story = {
  wanted: "sensor s1, seq 17, boot a1",
  arrivals: [accepted],
  letters: [],
  deliveries: [
    { function: "write-lake", place: "sensor-data-aggregated/3/7", taken: false },
    { function: "store-windows", place: "sensor-data-aggregated/3/7", taken: true },
  ],
  neighbours: [],
  notes: ["copies were looked for near its place alone"],
};
const answerOf = (body: unknown, status = 200): Promise<{ status: number; body: unknown }> =>
  Promise.resolve({ status, body });
const steps = (): Promise<string[]> => page.locator("#story li").allTextContents();
const hash = (): string => new URL(page.url()).hash;

const stage = usePage();
beforeEach(() => {
  ({ api, open } = stage());
  api.data.sensors = [{ sensorId: "s1", firstSeen: now, lastSeen: now, sessions: 1, samples: 1, rejected: 0 }];
});

test("a story has its steps with times and ids, who has taken them, and what was not looked at", async () => {
  api.stories.set("imu-data-all/3/1249/0", answerOf(story));
  page = await open("#/story/imu-data-all%2F3%2F1249%2F0");
  await page.getByRole("heading", { name: "Sensor s1, seq 17, boot a1 accepted" }).waitFor();
  expect(await steps()).toEqual([
    `${iso(now)} measured 10 readings, the last at ${iso(now + 90)}`,
    `${iso(now + 101)} received by the platform`,
    `${iso(now + 103)} appended 1,204 bytes imu-data-all/3/1234`,
    `${iso(now + 1_540)} output window tumbling-1000, 100 in it, cause watermark imu-data-all/3/1249/0 ` +
      "taken by store-windows not yet taken by write-lake",
    `${iso(now + 109)} also fired session s1@5 ended, 30 samples, cause watermark imu-data-all/3/1234/0`,
  ]);
  const text = await page.locator("#story").textContent();
  expect(text).toContain("Its readings are in the outputs below.");
  expect(text).toContain("Its trace id is 4bf92f3577b34da6a3ce929d0e0e4736.");
  expect(text).toContain("Note: copies were looked for near its place alone.");
  expect(await page.evaluate("document.activeElement.id")).toBe("story-title");
});

test("while the log is read the page says so, and it asks once", async () => {
  const { promise, resolve } = Promise.withResolvers<{ status: number; body: unknown }>();
  api.stories.set("s1@5", promise);
  page = await open("#/story/s1%405");
  await page.getByText("Reading the log …").waitFor();
  expect(await page.locator("#story").getAttribute("aria-busy")).toBe("true");
  resolve({ status: 200, body: story });
  await page.locator("#story article").waitFor();
  expect(await page.locator("#story-state").isVisible()).toBe(false);
});

test("why there is no story is said, and it can be tried again", async () => {
  api.stories.set("imu-data-all/3/1/0", answerOf({ detail: "another story is being read" }, 429));
  page = await open("#/story/imu-data-all%2F3%2F1%2F0");
  await page.getByText("There is no story: another story is being read.").waitFor();
  api.stories.set("imu-data-all/3/1/0", answerOf(story));
  await page.getByRole("button", { name: "Try again" }).press("Enter");
  await page.locator("#story article").waitFor();
  expect(await page.getByRole("button", { name: "Try again" }).isVisible()).toBe(false);
});

test("a message that never arrived has the ones before and after it", async () => {
  const neighbours = [{ seq: 16, place: "imu-data-all/3/1233", appendedAt: now }];
  api.stories.set("f".repeat(32), answerOf({ ...story, arrivals: [], deliveries: [], neighbours }));
  page = await open("#/story");
  await page.getByLabel("Record, output, session or trace").fill("f".repeat(32));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "sensor s1, seq 17, boot a1 never arrived" }).waitFor();
  expect(await steps()).toEqual([`${iso(now)} arrived seq 16 of the same boot imu-data-all/3/1233`]);
  expect(hash()).toBe(`#/story/${"f".repeat(32)}`);
});

test("a dead letter leads to its story by the keyboard, and the story back to it", async () => {
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
  api.data.deadLetters = [letter, { ...letter, id: "mqtt/1", stage: "bridge", source: null, mqttTopic: "imu/s1" }];
  const { id, at, code, message, stage: from, sensorId, symbol, source, mqttTopic, contentType, traceparent } = letter;
  const about = { id, at, code, message, stage: from, sensorId, symbol, source, mqttTopic, contentType, traceparent };
  const letters = [{ ...about, place: "dead-letter/3/9" }];
  const refused = { ...accepted, letters, outputs: [], verdict: "dead-lettered", why: "out-of-range: az is 999" };
  api.stories.set(letter.id, answerOf({ ...story, arrivals: [refused] }));
  page = await open("#/rejected/imu-data-all%2F3%2F1234%2F0");
  await page.getByRole("link", { name: "Story of this message" }).press("Enter");
  await page.getByRole("heading", { name: "Sensor s1, seq 17, boot a1 dead-lettered" }).waitFor();
  expect((await steps()).at(-1)).toContain("dead letter out-of-range: az is 999 dead-letter/3/9");
  await page.getByRole("link", { name: "What to do" }).press("Enter");
  await page.getByRole("heading", { name: "out-of-range" }).waitFor();
  // What the bridge wrote itself never was in an input.
  page = await open("#/rejected/mqtt%2F1");
  await page.locator("#letter-title").waitFor();
  expect(await page.getByRole("link", { name: "Story of this message" }).isVisible()).toBe(false);
});

test("a session leads to its story, and keeps the keyboard's focus while the list is renewed", async () => {
  const session = { sessionId: `s1@${now}`, sensorId: "s1", start: now, supersedes: [], warnings: [] };
  api.data.sessions = [{ ...session, status: "open", end: null, samples: null, revision: null }];
  page = await open("#/sessions");
  const ofSession = page.getByRole("link", { name: `Story of session s1@${now}` });
  await ofSession.focus();
  api.data.sessions = [{ ...session, status: "ended", end: now + 5_000, samples: 50, revision: 0 }];
  await page.locator("#sessions-view .status.ended").waitFor();
  expect(await page.evaluate("document.activeElement.getAttribute('aria-label')")).toBe(`Story of session s1@${now}`);
  api.stories.set(`s1@${now}`, answerOf(story));
  await page.keyboard.press("Enter");
  await page.locator("#story article").waitFor();
});

test("where the page does not reach the log, it has the command that does", async () => {
  page = await open("#/story/imu-data-all%2F3%2F1%2F0");
  const config = (await (await page.request.get(new URL("/config.json", page.url()).href)).json()) as object;
  await page.route("**/config.json", (route) =>
    route.fulfill({ json: { ...config, environment: "prod", operations: false } }),
  );
  await page.reload();
  await page.getByText("npm run on-aws -- --env prod trace imu-data-all/3/1/0").waitFor();
  expect(await page.locator("#story-state").isVisible()).toBe(false);
});
