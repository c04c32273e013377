import { beforeEach, expect, test } from "@jest/globals";
import { eventually } from "../support/eventually.ts";
import { violations } from "./axe.ts";
import { usePage, type Stage } from "./browser.ts";
import { now, someMarket } from "./market-records.ts";
import { components } from "./ops-data.ts";
import { badPractices } from "./practices.ts";
import { inferenceOf, listedWindow, sessionOf, stretchOf, windowOf } from "./sensor-records.ts";

/** Each view with data in it: its address, and what is there when they have come. */
const views = {
  live: ["#/live?sensors=s1,s2", '[data-sensor="s1"] .shares'],
  sensor: ["#/sensor/s1?range=1m", "#features-title"],
  sessions: ["#/sessions", "[data-session]"],
  session: [`#/sessions/s1%40${now}`, "#sessions-view .figures"],
  rejected: ["#/rejected", "#letters a"],
  letter: ["#/rejected/imu-data-all%2F3%2F1234%2F0", "#payload"],
  market: ["#/market/AAPL", "#alerts tr"],
  publish: ["#/publish", "#publish h1"],
  pipeline: ["#/pipeline", "[data-component]"],
  operations: ["#/operations", "#graphs .legend"],
  story: ["#/story", "#story-form"],
} as const;

let api: Stage["api"];
let open: Stage["open"];

const stage = usePage();
beforeEach(() => {
  ({ api, open } = stage());
  Object.assign(api.data, someMarket());
  api.data.sensors = ["s1", "s2", `s${"3".repeat(127)}`].map((sensorId, i) => ({
    sensorId,
    firstSeen: now,
    lastSeen: i === 2 ? now - 60_000 : now + 29_000,
    sessions: 1,
    samples: 1_500,
    rejected: 1,
  }));
  api.data.windows = [3, 2, 1, 0].map((i) => listedWindow("s1", now + i * 1_000, 9.5));
  api.data.activity = [stretchOf("s1", now, now + 4_000, "WALKING")];
  const warnings = [{ code: "acceleration-in-g", message: "the acceleration looks like g" }];
  api.data.sessions = [sessionOf("s1", now, now + 4_000, { warnings, activity: { WALKING: 3, SEATED: 1 } })];
  api.data.features = [{ sensorId: "s1", eventTime: now + 10_000, features: { accMag_mean: 9.5 } }];
  api.ops.set("components", { status: 200, body: components });
  const lines = ["sensor", "market", "bridge", "live"].map((label, i) => ({ label, points: [i, 2 * i] }));
  const graph = { title: "Lag", unit: "records", good: "Flat", limit: null, lines };
  api.operations.graphs = { stepMs: 5_000, atMs: now, dashboards: [{ name: "health", graphs: [graph] }] };
  api.data.deadLetters = [
    {
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
      bytes: 9,
      contentType: "application/json",
      traceparent: null,
      advice: "Send m/s².",
      payload: { encoding: "text", content: '{"seq":17}' },
      isCut: false,
    },
  ];
});

test.each(
  (["light", "dark"] as const).flatMap((colorScheme) => Object.keys(views).map((name) => ({ name, colorScheme }))),
)("nothing is wrong with $name, in $colorScheme; 390 pixels are enough for it, with targets of 44", async (of) => {
  const [address, filled] = views[of.name as keyof typeof views];
  const page = await open(address, { colorScheme: of.colorScheme });
  if (of.name === "live") {
    await eventually(() => expect([...api.subscriptions]).toEqual(["s1", "s2"]));
    api.send({ type: "inference", data: inferenceOf("s1", now + 29_000, "WALKING") });
    api.send({ type: "window", data: windowOf("s1", now + 28_000, 9.5) });
  }
  await page.locator(filled).first().waitFor();
  expect(await violations(page)).toEqual([]);
  expect(await badPractices(page)).toEqual([]);
  await page.setViewportSize({ width: 390, height: 844 });
  // A chart takes its new width with the next frame.
  await eventually(async () => {
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
  });
  const low = await page
    .locator("a:visible:not(.attribution a, .rejected a), button:visible, select:visible, summary:visible")
    .evaluateAll((all) => all.filter((one) => one.getBoundingClientRect().height < 44).map((one) => one.textContent));
  expect(low).toEqual([]);
  expect(await violations(page)).toEqual([]);
});
