import { beforeEach, expect, test } from "@jest/globals";
import type { Page } from "playwright-core";
import { eventually } from "../support/eventually.ts";
import { greyed, saysThatApiIsAway } from "./away.ts";
import { usePage, type Stage } from "./browser.ts";
import { now } from "./market-records.ts";
import type { LiveMessage } from "./page-api.ts";
import { inferenceOf, listedWindow, sensorOf, sessionOf, stretchOf, windowOf } from "./sensor-records.ts";

let api: Stage["api"];
let page: Page;
let open: Stage["open"];

const clock = (ms: number): string => new Date(ms).toLocaleTimeString("en-US", { timeZone: "UTC" });
const live = (ms: number): string => `live, ${clock(ms)}`;
const silent = (ms: number): string => `silent since ${clock(ms)}`;
const hash = (): string => new URL(page.url()).hash;

let messages = 0;
/** Readings of a sensor at these times: x is `value`, the magnitude twice as much, all else zero. */
function samples(sensorId: string, times: readonly number[], value: number): LiveMessage {
  const column = (of: number): number[] => times.map(() => of);
  const still = { ay: column(0), az: column(0), gx: column(value / 10), gy: column(0), gz: column(0) };
  const data = { ax: column(value), accMag: column(2 * value), gyroMag: column(value / 5), ...still };
  return { type: "samples", data: { sensorId, id: `imu-data-all/3/${messages++}/0`, t: times, ...data } };
}

const stage = usePage();
beforeEach(() => {
  ({ api, open } = stage());
  // The page believes to be half a minute after `now`: s0 and s00 have been silent since, the others are heard.
  api.data.sensors = ["s0", "s10", "s2", "s00", "s1"].map((sensorId, i) =>
    sensorOf(sensorId, sensorId === "s00" ? now - 5_000 : sensorId === "s0" ? now : now + 29_000 - i * 1_000),
  );
  const warnings = [{ code: "acceleration-in-g", message: "the acceleration looks like g" }];
  api.data.sessions = [sessionOf("s1", now, now + 12_500, { warnings })];
});

/** Opens the page, and waits until messages of these sensors reach it. */
async function openLive(address = "", sensorIds: readonly string[] = ["s1", "s2"]): Promise<void> {
  page = await open(address);
  await eventually(async () => {
    expect([...api.subscriptions]).toEqual(sensorIds);
    expect(await panels()).toEqual(sensorIds);
  });
}

function panels(): Promise<(string | null)[]> {
  return page.locator("#panels article").evaluateAll((all) => all.map((one) => one.getAttribute("data-sensor")));
}

/** The figures beside a chart of a sensor, by their labels. */
async function figures(sensorId: string, chart = "Acceleration"): Promise<Record<string, string>> {
  const figure = page.locator(`[data-sensor="${sensorId}"] figure`).filter({ hasText: chart });
  const labels = await figure.locator("dt").allTextContents();
  const values = await figure.locator("dd").allTextContents();
  return Object.fromEntries(labels.map((label, i) => [label.trim(), values[i]!.trim()]));
}

/** How many pixels of a sensor's charts have the colour of the magnitude, which is drawn last. */
function drawn(sensorId: string): Promise<number> {
  return page.evaluate(`[...document.querySelectorAll('[data-sensor="${sensorId}"] .plot canvas')].reduce(
    (sum, canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width || 1, canvas.height || 1);
      for (let i = 0; i < data.length; i += 4)
        if (data[i + 3] > 60 && [124, 58, 237].every((part, at) => Math.abs(part - data[i + at]) < 10)) sum++;
      return sum;
    }, 0)`);
}

test("the first two sensors that are heard now are shown, with what arrives", async () => {
  await openLive();
  expect(hash()).toBe("#/live?sensors=s1,s2");
  api.send(samples("s1", [now + 29_000, now + 29_010, now + 29_020], 1.5), samples("s10", [now], 1));
  await eventually(async () => {
    expect(await page.locator("#metric-items").textContent()).toBe("3");
    expect(await figures("s1")).toEqual({ x: "1.50", y: "0.00", z: "0.00", "|a|": "3.00" });
  });
  expect(await figures("s1", "Angular rate")).toEqual({ x: "0.15", y: "0.00", z: "0.00", "|ω|": "0.30" });
  expect(await figures("s2")).toEqual({ x: "–", y: "–", z: "–", "|a|": "–" });
  await page.getByText("the acceleration looks like g").waitFor();
});

test("the address holds the chosen sensors: it can be shared, and follows each choice", async () => {
  await openLive("#/live?sensors=s10,s0", ["s10", "s0"]);
  await page.getByRole("button", { name: "s2", exact: false }).click();
  expect(hash()).toBe("#/live?sensors=s10,s0,s2");
  await page.getByRole("button", { name: "Remove s10" }).click();
  expect([hash(), await panels()]).toEqual(["#/live?sensors=s0,s2", ["s0", "s2"]]);
  await eventually(() => {
    expect([...api.subscriptions]).toEqual(["s0", "s2"]);
  });
  await page.reload();
  await eventually(async () => {
    expect(await panels()).toEqual(["s0", "s2"]);
  });
  expect(await page.locator("#sensor-count").textContent()).toContain("3 live of 5");
});

test("a thirteenth sensor is refused, with what to do", async () => {
  api.data.sensors = Array.from({ length: 13 }, (_, i) => sensorOf(`n${i}`, now + 29_000));
  const twelve = Array.from({ length: 12 }, (_, i) => `n${i}`);
  await openLive(`#/live?sensors=${twelve.join(",")}`, twelve);
  await page.locator('[data-name="n12"]').click();
  await page.getByText("The page shows at most 12 sensors. Remove one first.").waitFor();
  expect(await panels()).toEqual(twelve);
});

test("the other view gets the live feed while it is shown, and the sensors are as they were afterwards", async () => {
  await openLive();
  await page.getByRole("button", { name: "s2", exact: false }).first().click();
  await page.getByRole("link", { name: "Market" }).click();
  await page.getByText("No trade has arrived yet.").waitFor();
  expect([...api.subscriptions]).toEqual([]);
  await page.getByRole("link", { name: "Live" }).click();
  await eventually(() => {
    expect([...api.subscriptions]).toEqual(["s1"]);
  });
  expect(await panels()).toEqual(["s1"]);
  expect(hash()).toBe("#/live?sensors=s1");
});

test("sensors that are heard now come first, and each says when it was last heard", async () => {
  await openLive();
  expect(await page.locator(".choices button").allTextContents()).toEqual([
    `s1 ${live(now + 25_000)}`,
    `s2 ${live(now + 27_000)}`,
    `s10 ${live(now + 28_000)}`,
    `s0 ${silent(now)}`,
    `s00 ${silent(now - 5_000)}`,
  ]);
  expect(await page.locator("#sensor-count").textContent()).toBe("3 live of 5");
  expect(await page.locator("#panels .status").allTextContents()).toEqual([live(now + 25_000), live(now + 27_000)]);
  api.send(samples("s1", [now + 29_500], 1));
  await eventually(async () => {
    expect(await page.locator('[data-sensor="s1"] .status').textContent()).toBe(live(now + 29_500));
  });
  await page.getByLabel("Find a sensor").fill("s0");
  await eventually(async () => {
    expect(await page.locator(".choices b").allTextContents()).toEqual(["s0", "s00"]);
  });
});

test("charts begin with what was before: means of windows, and the activity of that time", async () => {
  // The newest first. Windows of ten seconds overlap those of one: they are not drawn.
  api.data.windows = [9, 8, 7, 6, 5].map((value, i) => listedWindow("s1", now + 29_000 - (i + 1) * 1_000, value));
  const long = { operator: "tumbling-10000", window: { start: now, end: now + 10_000 } };
  api.data.windows.unshift(listedWindow("s1", now, 77, long));
  api.data.activity = [stretchOf("s1", now + 20_000, now + 29_000, "WALKING")];
  await openLive();
  await eventually(async () => {
    expect(await figures("s1")).toEqual({ x: "9.00", y: "9.00", z: "9.00", "|a|": "9.00" });
  });
  expect(await page.locator('[data-sensor="s1"] .activity').textContent()).toBe("walking");
  await eventually(async () => {
    expect(await drawn("s1")).toBeGreaterThan(10);
  });
  expect(await drawn("s2")).toBe(0);
  api.send(samples("s1", [now + 29_500], 1));
  await page.getByText(`Before ${clock(now + 29_500)}: means of windows`).waitFor();
});

test("the activity has all probabilities, in colours that are a label's own", async () => {
  await openLive();
  api.send({ type: "inference", data: inferenceOf("s1", now + 29_000, "WALKING") });
  api.send({ type: "inference", data: inferenceOf("s2", now + 29_000, "TURNING") });
  const shares = (sensorId: string): Promise<string[]> =>
    page.locator(`[data-sensor="${sensorId}"] .shares li`).allTextContents();
  await eventually(async () => {
    expect((await shares("s1")).map((text) => text.trim())).toEqual([
      "seated 3 %",
      "sitting down 3 %",
      "standing up 3 %",
      "turning 3 %",
      "walking 90 %",
    ]);
    expect(await page.locator('[data-sensor="s2"] .activity').textContent()).toBe("turning");
  });
  const colours = (sensorId: string): Promise<unknown> =>
    page.evaluate(
      `[...document.querySelectorAll('[data-sensor="${sensorId}"] .shares i')]
        .map((key) => getComputedStyle(key).backgroundColor)`,
    );
  const [first, second] = [await colours("s1"), await colours("s2")];
  expect(first).toEqual(second);
  expect(new Set(first as string[]).size).toBe(5);
});

test("the charts stop and continue, and a slider reads them while they stand still", async () => {
  await openLive();
  api.send(samples("s1", [now + 20_000], 1), samples("s1", [now + 25_000], 2));
  await eventually(async () => {
    expect(await figures("s1")).toMatchObject({ x: "2.00" });
  });
  await page.getByRole("button", { name: "Pause" }).press("Enter");
  api.send(samples("s1", [now + 29_000], 3));
  const slider = page.getByRole("slider");
  await slider.focus();
  await page.keyboard.press("Home");
  // Thirty seconds before the page's clock: the oldest reading is after that.
  await eventually(async () => {
    expect(await figures("s1")).toMatchObject({ x: "1.00" });
  });
  await slider.fill(String(now + 27_000));
  await eventually(async () => {
    expect(await figures("s1")).toMatchObject({ x: "2.00" });
  });
  expect(await page.locator("output").textContent()).toBe("14:30:27.000 UTC");
  await page.getByRole("button", { name: "Continue" }).click();
  await eventually(async () => {
    expect(await figures("s1")).toMatchObject({ x: "3.00" });
  });
});

test("pointing at a chart reads all of them at that time", async () => {
  await openLive();
  api.send(samples("s1", [now + 1_000], 1), samples("s2", [now + 1_000], 5));
  api.send(samples("s1", [now + 29_990], 2), samples("s2", [now + 29_990], 6));
  await eventually(async () => {
    expect([await figures("s1"), await figures("s2")]).toMatchObject([{ x: "2.00" }, { x: "6.00" }]);
  });
  const box = (await page.locator('[data-sensor="s1"] .plot').first().boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + 60);
  await eventually(async () => {
    expect([await figures("s1"), await figures("s2")]).toMatchObject([{ x: "1.00" }, { x: "5.00" }]);
  });
  await page.mouse.move(5, 5);
  await eventually(async () => {
    expect(await figures("s1")).toMatchObject({ x: "2.00" });
  });
});

test("ten thousand sensors are in groups by what their ids begin with, and can be searched", async () => {
  api.data.sensors = Array.from({ length: 10_000 }, (_, i) =>
    sensorOf(`hall-${String(i).padStart(4, "0")}`, i < 250 ? now + 29_000 : now),
  );
  await openLive("#/live?sensors=hall-0007", ["hall-0007"]);
  await eventually(async () => {
    expect(await page.locator("#sensor-count").textContent()).toBe("200 live of 200 or more");
  });
  expect(await page.locator(".choices button").count()).toBe(50);
  await page.getByRole("button", { name: "Next" }).press("Enter");
  expect(await page.locator(".pages span").textContent()).toBe("51 – 100");
  await page.getByLabel("all, in groups").check();
  await eventually(async () => {
    expect(await page.locator("#sensor-count").textContent()).toBe("10,000");
  });
  expect(await page.locator(".groups summary").count()).toBe(100);
  expect(await page.locator(".groups summary").first().textContent()).toBe("hall-00… 100 live of 100");
  expect(await page.locator(".groups summary").nth(2).textContent()).toBe("hall-02… 50 live of 100");
  await page.locator(".groups summary").nth(2).press("Enter");
  await page.getByRole("button", { name: "hall-0242" }).press("Enter");
  expect(hash()).toBe("#/live?sensors=hall-0007,hall-0242");
  await page.getByLabel("Find a sensor").fill("9942");
  await eventually(async () => {
    expect(await page.locator(".choices b").allTextContents()).toEqual(["hall-9942"]);
  });
});

test("a refused message is on its sensor's panel at once, with a link to its letter", async () => {
  await openLive();
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

test("the newest window has its figures with units, and a link to its story that keeps the focus", async () => {
  await openLive();
  api.send({ type: "window", data: windowOf("s1", now + 28_000, 9.5) });
  const link = page.getByRole("link", { name: "Story of the newest window of s1" });
  await link.focus();
  expect(await page.locator('[data-sensor="s1"] .window-line').textContent()).toBe(
    `Window of ${clock(now + 28_000)}, 1 s: 100 readings, |a| mean 9.50 m/s², std 0.00 m/s²; fired by watermark Story`,
  );
  api.send({ type: "window", data: windowOf("s1", now + 29_000, 9.5, { revision: 2, cause: "late" }) });
  await page.getByText("fired by late, revision 2").waitFor();
  expect(await page.evaluate("document.activeElement.getAttribute('href')")).toBe(
    `#/story/${encodeURIComponent(`imu-data-all/3/${now + 29_000}/0`)}`,
  );
});

test("four charts of 200 readings a second take little of the time that thirty frames a second leave", async () => {
  await openLive();
  // Half a minute fills the charts; then a message of 40 readings each 0.2 s, as long as it is measured.
  const times = (from: number): number[] => Array.from({ length: 40 }, (_, i) => from + i * 5);
  let sent = now;
  const send = (): void => {
    for (const sensorId of ["s1", "s2"]) api.send(samples(sensorId, times(sent), Math.sin(sent / 100) * 5));
    sent += 200;
  };
  for (let i = 0; i < 150; i++) send();
  const timer = setInterval(send, 200);
  try {
    await page.evaluate(`{
      const { clearRect } = CanvasRenderingContext2D.prototype;
      window.drawn = 0;
      CanvasRenderingContext2D.prototype.clearRect = function (...area) {
        if (this.canvas.closest(".plot")) window.drawn++;
        return clearRect.apply(this, area);
      };
    }`);
    const browser = await page.context().newCDPSession(page);
    // Time that the page's thread has run, not time that has passed: other work on the machine counts for nothing.
    await browser.send("Performance.enable", { timeDomain: "threadTicks" });
    const look = async (): Promise<{ drawn: number; cpuMs: number }> => {
      const { metrics } = await browser.send("Performance.getMetrics");
      const cpuMs = 1_000 * metrics.find(({ name }) => name === "TaskDuration")!.value;
      return { drawn: ((await page.evaluate("window.drawn")) as number) / 4, cpuMs };
    };
    const before = await look();
    const after = await eventually(look, { until: ({ drawn }) => drawn > before.drawn + 60, limitMs: 40_000 });
    // 4.7 ms were measured, and a frame has 33.
    expect((after.cpuMs - before.cpuMs) / (after.drawn - before.drawn)).toBeLessThan(15);
  } finally {
    clearInterval(timer);
  }
});

test("when the live feed is back, what was missed comes: charts have the means of its windows", async () => {
  await openLive();
  const hint = page.locator('[data-sensor="s1"] .hint').last();
  api.send(samples("s1", [now + 20_000, now + 20_900], 1));
  api.send({ type: "inference", data: inferenceOf("s1", now + 20_000, "WALKING") });
  api.send(
    { type: "window", data: windowOf("s1", now + 19_000, 1) },
    { type: "window", data: windowOf("s1", now + 20_000, 1) },
  );
  await eventually(async () => {
    expect(await hint.textContent()).toBe(`Before ${clock(now + 20_000)}: means of windows of a second.`);
    expect(await page.locator('[data-sensor="s1"] .window-line').textContent()).toContain(
      `Window of ${clock(now + 20_000)}`,
    );
  });
  await api.stop();
  await page.getByText(/The live feed has been cut since/).waitFor();
  await api.start();
  const [inference, window] = [`imu-data-all/3/${now + 20_000}/1`, `imu-data-all/3/${now + 20_000}/0`];
  await eventually(() => {
    // Of sessions it has seen none: what came since the first message is missed.
    expect(Object.fromEntries(api.resumed)).toEqual({
      s1: { inference: [inference], window: [window], session: [inference] },
    });
  });
  for (const start of [21_000, 22_000, 23_000]) api.send({ type: "window", data: windowOf("s1", now + start, 42) });
  api.send(samples("s1", [now + 24_000, now + 24_100], 1));
  await eventually(async () => {
    expect(await hint.textContent()).toBe(
      `Before ${clock(now + 20_000)}, and where the live feed was lost: means of windows of a second.`,
    );
  });
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator(".scrub input").fill(String(now + 22_500));
  await eventually(async () => {
    expect((await figures("s1"))["x"]).toBe("42.00");
  });
});

test("a lost end is said with the reason and a countdown, and its old data is greyed", async () => {
  await openLive();
  await api.stop();
  await page.getByText(/The live feed has been cut since .*: the connection was lost\./).waitFor();
  await saysThatApiIsAway(page);
  const parts = ["#panels", ".choices"];
  expect(await greyed(page, parts)).toEqual(parts);
  await api.start();
  await page.locator("#loss").waitFor({ state: "hidden" });
  expect(await greyed(page, parts)).toEqual([]);
});

test("a refresh keeps the focus and the order in the list of sensors", async () => {
  await openLive();
  await page.locator(".choices button").nth(0).focus();
  await page.keyboard.press("ArrowDown");
  api.data.sensors = [...api.data.sensors, sensorOf("s1a", now + 29_000)];
  await eventually(async () => {
    expect(await page.locator("#sensor-count").textContent()).toBe("4 live of 6");
  });
  expect(await page.evaluate("document.activeElement.dataset.name")).toBe("s2");
  expect(await page.locator(".choices b").allTextContents()).toEqual(["s1", "s2", "s10", "s0", "s00", "s1a"]);
  await page.getByLabel("Find a sensor").focus();
  await eventually(async () => {
    expect(await page.locator(".choices b").allTextContents()).toEqual(["s1", "s1a", "s2", "s10", "s0", "s00"]);
  });
});

test("a browser whose language is no language tag shows the page all the same", async () => {
  page = await open("");
  await page.addInitScript(`Object.defineProperty(Navigator.prototype, "language",
    { get: () => "en-US@posix", configurable: true })`);
  await page.reload();
  await eventually(async () => expect(await panels()).toEqual(["s1", "s2"]));
});
