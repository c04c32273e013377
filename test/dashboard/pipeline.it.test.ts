import { beforeEach, expect, test } from "@jest/globals";
import type { BrowserContextOptions, Page } from "playwright-core";
import { failed } from "../../ops/answer.ts";
import { eventually } from "../support/eventually.ts";
import { violations } from "./axe.ts";
import { usePage, type Stage } from "./browser.ts";
import { components, groups, models, record, recordsOf, tick, topics } from "./ops-data.ts";

let api: Stage["api"];
let page: Page;
const stage = usePage();
beforeEach(() => {
  ({ api } = stage());
  const answers = { components, topics, groups, models };
  for (const [name, body] of Object.entries(answers)) api.ops.set(name, { status: 200, body });
  api.ops.set("records?topic=imu-data-all", { status: 200, body: recordsOf(record(6), record(5), tick) });
});

const text = async (selector: string): Promise<string[]> =>
  (await page.locator(selector).allTextContents()).map((each) => each.replaceAll(/\s+/g, " ").trim());
const hash = (): string => new URL(page.url()).hash;

test("each component has status, restarts, figures with their units, and its alarms", async () => {
  page = await stage().open("");
  await page.getByRole("link", { name: "Pipeline" }).click();
  await page.getByRole("heading", { name: "processor" }).waitFor();
  expect(hash()).toBe("#/pipeline");
  const processor = page.locator('[data-component="processor"]');
  expect(await processor.locator("h3").textContent()).toBe("processor degraded");
  expect(await processor.innerText()).toMatch(/program, running · restarted 2 times\s+HIGH: lag-sensor/);
  expect(await processor.innerText()).toContain("sensor/imu-data-all/3: input-lost: the log starts at 100");
  expect(await text('[data-component="processor"] dl div')).toEqual([
    "records1,235/s",
    "lag61,234 records",
    "watermark lag1.5 s",
    "snapshot age–",
    "memory144 MB",
  ]);
  expect(await text('[data-component="bridge"] :is(h3, .bad)')).toEqual(["bridge down", "CRITICAL: brokers-gone"]);
  const raised = await text(".raised li");
  expect(raised[0]).toMatch(/^CRITICALbrokers-goneKafka has .* since \d+:\d\d:\d\d .M\. About bridge\. ?Runbook$/);
  expect(raised[1]).toContain("Explained by brokers-gone.");
  const runbook = await page.getByRole("link", { name: "Runbook of lag-sensor" }).getAttribute("href");
  expect((await page.request.get(new URL(runbook!, page.url()).href)).status()).toBe(200);
});

test("topics lead to their partitions and last records", async () => {
  page = await stage().open("#/pipeline/topics");
  await page.getByRole("link", { name: "imu-data-all" }).waitFor();
  expect(await text("tbody tr")).toEqual([
    "imu-data-allreadings as devices sent them, and control records21,10049.8/s4.1 kB7 days",
    "somebody-elsesno topic of Millrace's10–––",
  ]);
  await page.getByRole("link", { name: "imu-data-all" }).click();
  await page.locator(".records li").first().waitFor();
  expect(hash()).toBe("#/pipeline/topic/imu-data-all");
  expect(await page.title()).toContain("imu-data-all");
  expect(await text(".records summary")).toEqual([
    expect.stringMatching(/^[\d:.]+1\/6s1\{"seq":6,/),
    expect.stringMatching(/^[\d:.]+1\/5s1\{"seq":5,/),
    expect.stringMatching(/^[\d:.]+1\/4control: tickno value$/),
  ]);
  await page.getByText("2 partitions").click();
  expect(await text("tbody tr")).toEqual(["001002.05 kBbroker 12 of 3", "101,0002.05 kBbroker 12 of 3"]);
});

test("a record opens with headers, value and its story, and the list stands still meanwhile", async () => {
  page = await stage().open("#/pipeline/topic/imu-data-all");
  await page.locator(".records summary").nth(1).click();
  const opened = page.locator(".records details[open]");
  expect(await opened.locator("pre").textContent()).toBe(
    JSON.stringify({ seq: 5, samples: [[0, 0, 9.8, 0, 0, 0]] }, null, 2),
  );
  expect(await opened.locator("dl").innerText()).toMatch(/content-type\s+application\/json/);
  const story = opened.getByRole("link", { name: "Story" });
  expect(await story.getAttribute("href")).toBe("#/story/imu-data-all%2F1%2F5");
  await page.getByText("The list stands still").waitFor();
  api.ops.set("records?topic=imu-data-all", { status: 200, body: recordsOf(record(7), record(6)) });
  api.ops.set("topics", { status: 200, body: topics.map((topic) => ({ ...topic, bytes: 9_000_000 })) });
  await page.getByText("9 MB").waitFor();
  expect(await page.locator(".records li").count()).toBe(3);
  await opened.locator("summary").click();
  await page.locator(".records").getByText("1/7").waitFor();
});

test("a partition's records go further back, by addresses that can be shared", async () => {
  api.ops.set("records?topic=imu-data-all&partition=1", { status: 200, body: recordsOf(record(6)) });
  api.ops.set("records?topic=imu-data-all&partition=1&before=6", { status: 200, body: recordsOf(record(5)) });
  page = await stage().open("#/pipeline/topic/imu-data-all");
  await page.getByText("Choose a partition").waitFor();
  await page.getByRole("combobox", { name: "Partition" }).selectOption("1");
  await page.getByRole("link", { name: "Older" }).click();
  await page.getByRole("heading", { name: "Records before offset 6" }).waitFor();
  expect(hash()).toBe("#/pipeline/topic/imu-data-all?partition=1&before=6");
  await page.locator(".records").getByText("1/5").waitFor();
  page = await stage().open(hash());
  await page.locator(".records").getByText("1/5").waitFor();
  await page.getByRole("link", { name: "Newest" }).click();
  await page.locator(".records").getByText("1/6").waitFor();
});

test("groups have their readers and the lag of each partition", async () => {
  page = await stage().open("#/pipeline/groups");
  await page.getByText("millrace-processor-sensor").click();
  expect(await text("[data-group] summary")).toEqual([
    "millrace-processor-sensorprocessor · Stable, 1 memberlag 11 records",
    "millrace-live-v2live · Stable, 1 memberno lag known",
  ]);
  expect(await text("tbody tr")).toEqual(["08910011", "1–1,000–"]);
});

test("a model is promoted once, however often its answer is lost", async () => {
  page = await stage().open("#/pipeline/models");
  await page.getByText("97.0 % of the newest 300 scores").waitFor();
  expect(await text("[data-model] .actions")).toEqual(["Switch off", "Make liveSwitch off", "Make liveShadow", ""]);
  await page.getByRole("button", { name: "Make live: activity 1.1.0" }).click();
  await page.getByText("activity 1.1.0 scores every sensor from the next record on").waitFor();
  api.ops.set("POST models", failed(502, "the change is not complete"));
  await page.getByRole("button", { name: "Make live", exact: true }).click();
  await page.getByText("the change is not complete.").waitFor();
  api.ops.set("POST models", { status: 200, body: { lines: ["activity 1.1.0 is live"] } });
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("activity 1.1.0 is live").waitFor();
  expect(await page.getByRole("dialog").count()).toBe(0);
  const [first, second] = api.posted;
  expect(first).toMatchObject({
    path: "models",
    body: { action: "live", name: "activity", version: "1.1.0" },
    key: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
  expect(second).toEqual(first);
});

test("a roll back names where it goes, and nothing is done without a yes", async () => {
  page = await stage().open("#/pipeline/models");
  await page.getByRole("button", { name: "Roll activity back to 0.9.0" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Roll activity back to 0.9.0" }).click();
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  expect(api.posted).toEqual([]);
  api.ops.set("POST models", { status: 200, body: { lines: ["done"] } });
  await page.getByRole("button", { name: "Roll activity back to 0.9.0" }).click();
  await page.getByRole("button", { name: "Roll back", exact: true }).click();
  await page.getByText("done", { exact: true }).waitFor();
  expect(api.posted.map(({ body }) => body)).toEqual([{ action: "rollback", name: "activity", version: "0.9.0" }]);
});

test("what npm start says is wrong is shown, and its loss is a banner over grey data", async () => {
  api.ops.set("records?topic=gone", failed(404, 'topic "gone" can\'t be read'));
  page = await stage().open("#/pipeline/topic/gone");
  await page.getByText('topic "gone" can\'t be read').waitFor();
  expect(await page.locator("#loss").isVisible()).toBe(false);
  page = await stage().open("#/pipeline");
  await page.getByRole("heading", { name: "processor" }).waitFor();
  await api.stop();
  await page.locator("#loss").waitFor();
  await eventually(async () => {
    expect(await page.locator("#loss-retry").textContent()).toMatch(/Next try in \d+ s\.|Trying now\./);
  });
  const opacity = 'getComputedStyle(document.querySelector("#pipeline [data-from]")).opacity';
  await eventually(async () => {
    expect(Number(await page.evaluate(opacity))).toBeLessThan(1);
  });
  expect(await page.getByRole("heading", { name: "processor" }).isVisible()).toBe(true);
});

test("where the page has no operators' API it has no such view", async () => {
  page = await stage().open("");
  const config = (await (await page.request.get(new URL("/config.json", page.url()).href)).json()) as object;
  await page.route("**/config.json", (route) => route.fulfill({ json: { ...config, operations: false } }));
  await page.goto(new URL("/#/pipeline", page.url()).href);
  await page.reload();
  await page.locator("#live-view").waitFor();
  expect(await page.locator("#pipeline-link").isVisible()).toBe(false);
});

const looks: Readonly<Record<string, BrowserContextOptions>> = {
  light: {},
  dark: { colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 } },
};
const places = ["", "/topics", "/topic/imu-data-all", "/groups", "/models"];
test.each(Object.keys(looks).flatMap((look) => places.map((place) => [look, place] as const)))(
  "%s: axe finds nothing at #/pipeline%s, and nothing is wider than the window",
  async (look, place) => {
    page = await stage().open(`#/pipeline${place}`, looks[look]);
    await page.locator("#pipeline .panel").first().waitFor();
    const opened = page.locator("#pipeline summary").first();
    if ((await opened.count()) > 0) await opened.click();
    expect(await violations(page)).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0);
  },
);
