import { beforeEach, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import type { DeadLetter } from "../../domain/api.ts";
import { failed } from "../../ops/answer.ts";
import type { ArrivalStory } from "../../processor/commands/trace/story.ts";
import type { Story } from "../../processor/commands/trace/tell.ts";
import { eventually } from "../support/eventually.ts";
import { usePage, type Stage } from "./browser.ts";
import { now } from "./market-records.ts";

let api: Stage["api"];
let open: Stage["open"];
let page: Page;

/** The letter of a sensor's record at an offset, written as many milliseconds after `now`. */
function letter(sensorId: string, code: string, offset: number, more: Partial<DeadLetter> = {}): DeadLetter {
  return {
    id: `imu-data-all/3/${offset}/0`,
    at: now + offset,
    code,
    message: `message ${offset}`,
    stage: "sensor",
    sensorId,
    symbol: null,
    source: { topic: "imu-data-all", partition: 3, offset },
    mqttTopic: null,
    log: { partition: 5, offset: offset + 100 },
    bytes: 11,
    contentType: "application/json",
    traceparent: null,
    advice: "Send JSON.",
    payload: { encoding: "text", content: "<b>{not json</b>" },
    isCut: false,
    ...more,
  };
}

/** A story whose texts have no place to break. */
function longStory(): Story {
  const identity = { key: "s".repeat(128), seq: 2, boot: "b".repeat(64), tradeId: null };
  const output = { at: now, role: "holds", what: "y".repeat(200), place: "sensor-data-late/3/7" } as const;
  const arrival: ArrivalStory = {
    place: "imu-data-all/3/2",
    offset: 2,
    subject: { identity, times: { first: now, last: now + 90 }, readings: 10 },
    appendedAt: now,
    ingestMs: now,
    traceparent: null,
    reinjectedFrom: null,
    bytes: 1_204,
    letters: [],
    outputs: [{ ...output, topic: "late", id: "imu-data-all/3/2/0" }],
    verdict: "late",
    why: "z".repeat(200),
  };
  return { wanted: "it", arrivals: [arrival], letters: [], deliveries: [], neighbours: [], notes: ["n".repeat(200)] };
}

const stage = usePage();
beforeEach(() => {
  ({ api, open } = stage());
  api.data.deadLetters = [
    letter("s2", "out-of-range", 3),
    letter("s1", "out-of-range", 2),
    letter("s1", "invalid-json", 1),
  ];
});

async function listed(): Promise<(string | null)[]> {
  return page.locator("#letters .message").allTextContents();
}

async function isListed(...offsets: number[]): Promise<void> {
  await eventually(async () => {
    expect(await listed()).toEqual(offsets.map((offset) => `message ${offset}`));
  });
}

const hash = (): string => new URL(page.url()).hash;

test("what was refused is listed newest first, and its filters are in the address", async () => {
  page = await open("");
  await page.getByRole("link", { name: "Rejected" }).click();
  await isListed(3, 2, 1);
  await page.getByLabel("Code").selectOption("out-of-range");
  await isListed(3, 2);
  await page.getByLabel("Sensor", { exact: true }).fill("s1");
  await page.keyboard.press("Enter");
  await isListed(2);
  expect(hash()).toBe("#/rejected?sensorId=s1&code=out-of-range");
  const shared = hash();
  page = await open(shared);
  await isListed(2);
  expect(await page.getByLabel("Sensor", { exact: true }).inputValue()).toBe("s1");
  expect(await page.getByLabel("Code").inputValue()).toBe("out-of-range");
  page = await open("#/rejected?sensorId=s9");
  await page.getByText("None.").and(page.locator("#letters-empty")).waitFor();
});

test("the page names a filter that the API would refuse, and asks nothing", async () => {
  page = await open("#/rejected?sensorId=a%20b");
  await page.getByText("a b is no sensor id").waitFor();
  page = await open("#/rejected?code=nonsense");
  await page.getByText("nonsense is no code of a dead letter").waitFor();
});

test("older letters are on further pages", async () => {
  api.data.deadLetters = Array.from({ length: 60 }, (_, i) => letter("s1", "invalid-json", 60 - i));
  page = await open("#/rejected?sensorId=s1");
  await eventually(async () => {
    expect((await listed()).length).toBe(50);
  });
  await page.getByRole("link", { name: "Older" }).click();
  await isListed(10, 9, 8, 7, 6, 5, 4, 3, 2, 1);
  expect(await page.getByRole("link", { name: "Older" }).isVisible()).toBe(false);
  await page.getByRole("link", { name: "Newest" }).click();
  await eventually(async () => {
    expect((await listed())[0]).toBe("message 60");
  });
  expect(hash()).toBe("#/rejected?sensorId=s1");
});

test("a new letter comes by itself, and the keyboard's focus stays where it is", async () => {
  page = await open("#/rejected");
  await isListed(3, 2, 1);
  await page.locator("#letters a").first().focus();
  await page.keyboard.press("ArrowDown");
  api.data.deadLetters = [letter("s2", "invalid-json", 4), ...api.data.deadLetters];
  await isListed(4, 3, 2, 1);
  expect(await page.evaluate("document.activeElement.querySelector('.message').textContent")).toBe("message 2");
});

test("an operator sends a letter in again, once, and is told why not", async () => {
  page = await open("#/rejected/imu-data-all%2F3%2F2%2F0");
  const again = page.locator("#letter-send").getByRole("button", { name: "Send again" });
  const dialog = page.getByRole("dialog");
  await again.click();
  await dialog.getByText("The record of s1 is appended once more").waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "detached" });
  expect(api.posted).toEqual([]);
  await again.click();
  api.ops.set("POST dead-letters", failed(409, "it was sent again before"));
  await dialog.getByRole("button", { name: "Send again" }).click();
  await dialog.getByText("it was sent again before.").waitFor();
  const record = { topic: "imu-data-all", partition: 3, offset: 99 };
  api.ops.set("POST dead-letters", { status: 200, body: record });
  await dialog.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("status").getByText("Sent: it is imu-data-all/3/99 now.").waitFor();
  expect(await again.isDisabled()).toBe(true);
  const [first, second] = api.posted;
  expect(first).toMatchObject({
    path: "dead-letters",
    body: { action: "send-again", id: "imu-data-all/3/2/0", log: { partition: 5, offset: 102 } },
    key: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
  expect(second).toEqual(first);
  await page.locator("#letters a").first().click();
  await page.getByText("message 3").and(page.locator("#letter-message")).waitFor();
  expect(await again.isEnabled()).toBe(true);
});

test("a letter has what to do, the command that sends it again, and its payload as it is", async () => {
  page = await open("#/rejected");
  await page.locator("#letters a").nth(1).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "out-of-range" }).waitFor();
  expect(hash()).toBe("#/rejected/imu-data-all%2F3%2F2%2F0");
  await eventually(async () => {
    expect(await page.evaluate("document.activeElement.id")).toBe("letter-title");
  });
  expect(await page.locator("#letter-advice").textContent()).toBe("Send JSON.");
  expect(await page.locator("#letter-again").textContent()).toBe(
    "npm run dead-letters -- send-again dead-letter/5/102",
  );
  expect(await page.locator("#payload").textContent()).toBe("<b>{not json</b>");
  expect(await page.locator("#payload-of").textContent()).toBe("11 bytes, as text");
  expect(await page.locator("#payload-cut").isVisible()).toBe(false);
  expect(await page.locator("#letter-facts").textContent()).toContain("imu-data-all/3/2");
  await page.getByRole("link", { name: "Close" }).press("Enter");
  await page.locator("#letter").waitFor({ state: "hidden" });
  expect(await page.evaluate("document.activeElement.querySelector('.message').textContent")).toBe("message 2");
});

test("a letter says that its payload is cut, that there is none, or that it is gone", async () => {
  api.data.deadLetters = [
    letter("s1", "invalid-packed", 2, {
      payload: { encoding: "base64", content: "/wAB" },
      bytes: 140_000,
      isCut: true,
      advice: null,
    }),
    letter("s1", "state-failed", 1, { payload: null, bytes: null }),
  ];
  page = await open("#/rejected/imu-data-all%2F3%2F2%2F0");
  await page.getByText("This is its beginning.").waitFor();
  expect(await page.locator("#payload").textContent()).toBe("/wAB");
  expect(await page.locator("#payload-of").textContent()).toBe("140,000 bytes, as base64");
  expect(await page.locator("#letter-advice").textContent()).toBe(
    "This version does not know the code: see the message.",
  );
  page = await open("#/rejected/imu-data-all%2F3%2F1%2F0");
  await page.getByRole("heading", { name: "state-failed" }).waitFor();
  expect([await page.locator("#payload").isVisible(), await page.locator("#payload-of").textContent()]).toEqual([
    false,
    "none",
  ]);
  page = await open("#/rejected/gone");
  await page.getByText("There is no dead letter gone, or it is not among the newest any more.").waitFor();
  expect(await page.locator("#loss").isVisible()).toBe(false);
});

test.each(["light", "dark"] as const)("390 pixels are wide enough, with targets of 44, in %s", async (colorScheme) => {
  api.data.deadLetters[1] = letter("s".repeat(128), "event-from-the-future", 2, {
    message: "x".repeat(300),
    payload: { encoding: "text", content: "y".repeat(2_000) },
  });
  api.stories.set("imu-data-all/3/2/0", Promise.resolve({ status: 200, body: longStory() }));
  api.data.sensors = [{ sensorId: "s1", firstSeen: now, lastSeen: now, sessions: 1, samples: 1, rejected: 2 }];
  const views = {
    "#/rejected/imu-data-all%2F3%2F2%2F0": "#letter-title",
    "#/live": "#panels article",
    "#/market": "#alerts-empty",
    "#/operations": "#dashboards",
    "#/story/imu-data-all%2F3%2F2%2F0": "#story article",
  };
  for (const [address, filled] of Object.entries(views)) {
    page = await open(address, { viewport: { width: 390, height: 844 }, colorScheme });
    await page.locator(filled).waitFor();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    // A link in a sentence is as high as its line.
    const low = await page
      .locator("a:visible:not(.attribution a), button:visible, select:visible, summary:visible")
      .evaluateAll((all) => all.filter((one) => one.getBoundingClientRect().height < 44).map((one) => one.textContent));
    expect([address, low]).toEqual([address, []]);
  }
});
