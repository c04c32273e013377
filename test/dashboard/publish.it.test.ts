import { execFileSync } from "node:child_process";
import { beforeEach, expect, test } from "@jest/globals";
import type { BrowserContextOptions, Page } from "playwright-core";
import type { DeadLetter } from "../../domain/api.ts";
import { eventually } from "../support/eventually.ts";
import { violations } from "./axe.ts";
import { usePage, type Stage } from "./browser.ts";
import { now } from "./market-records.ts";

let api: Stage["api"];
let page: Page;
const stage = usePage();
beforeEach(() => void ({ api } = stage()));

function letter(offset: number, more: Partial<DeadLetter> = {}): DeadLetter {
  const id = `imu-data-all/3/${offset}/0`;
  return {
    id,
    at: now,
    code: "invalid-json",
    message: "it is not JSON",
    stage: "decode",
    sensorId: "my-sensor",
    symbol: null,
    source: { topic: "imu-data-all", partition: 3, offset },
    mqttTopic: null,
    log: { partition: 3, offset },
    bytes: 5,
    contentType: "application/json",
    traceparent: null,
    advice: "Send JSON as the contract says.",
    payload: { encoding: "text", content: "hello" },
    isCut: false,
    ...more,
  };
}

const subscribed = (sensorId: string): Promise<void> =>
  eventually(() => {
    expect([...api.subscriptions]).toEqual([sensorId]);
  });
const outcome = () => page.locator(".outcome");

test("who comes before any sensor sees how to publish, and who has an address sees what it names", async () => {
  page = await stage().open("");
  await page.getByRole("heading", { name: "How to publish" }).waitFor();
  expect(new URL(page.url()).hash).toBe("#/publish");
  expect(await page.getByLabel("Command that publishes", { exact: true }).textContent()).toContain(
    "-h 127.0.0.1 -p 21883 ",
  );
  expect(await outcome().textContent()).toContain("Waiting for the first message of my-sensor");
  page = await stage().open("#/rejected");
  await page.locator("#rejected-view").waitFor();
  api.data.sensors = [{ sensorId: "s1", firstSeen: now, lastSeen: now, sessions: 0, samples: 0, rejected: 0 }];
  page = await stage().open("");
  await page.getByRole("link", { name: "Publish" }).waitFor();
  expect(await page.locator("#publish-view").isVisible()).toBe(false);
});

test("the command's message is what a device sends", async () => {
  page = await stage().open("#/publish?sensorId=kitchen-1");
  const command = (await page.getByLabel("Command that publishes", { exact: true }).textContent())!;
  expect(command).toContain(" -q 1 -t imu/kitchen-1 ");
  // The shell makes the arguments of it.
  const shell = `mosquitto_pub() { while [ "$1" != -m ]; do shift; done; printf %s "$2"; }\n${command}`;
  const message = JSON.parse(execFileSync("sh", ["-c", shell], { encoding: "utf8" })) as { t: number[]; boot: string };
  expect(message).toEqual({
    seq: 0,
    boot: String(message.t[0]),
    t: [expect.any(Number)],
    samples: [[0.1, 0.2, 9.8, 0, 0, 0]],
  });
  expect(Math.abs(message.t[0]! - Date.now())).toBeLessThan(60_000);
});

test("a refused message is red with its reason at once, then with what to do; the next one is green", async () => {
  page = await stage().open("#/publish");
  await subscribed("my-sensor");
  const { id, at, code, message, stage: by } = letter(1);
  api.send({
    type: "rejected",
    data: { sensorId: "my-sensor", id, at, code: code as "invalid-json", message, stage: by, seq: null, boot: null },
  });
  await outcome().getByText("invalid-json: it is not JSON.").waitFor();
  api.data.deadLetters = [letter(1)];
  await outcome().getByText("Send JSON as the contract says.").waitFor();
  expect(await outcome().getAttribute("class")).toContain("refused");
  expect(await outcome().getByRole("link").getAttribute("href")).toBe("#/rejected/imu-data-all%2F3%2F1%2F0");
  api.send({ type: "samples", data: { sensorId: "my-sensor", id: "imu-data-all/3/2/0", t: [now] } });
  await outcome().getByText("1 reading.").waitFor();
  expect(await outcome().getAttribute("class")).toContain("accepted");
  expect(await outcome().getByRole("link").getAttribute("href")).toBe("#/live?sensors=my-sensor");
  expect(await page.getByLabel("Messages before").textContent()).toContain("Refused");
});

test("a message whose topic names no sensor is refused with the topic; older letters are not shown", async () => {
  const nameless = { sensorId: null, source: null, stage: "bridge", code: "invalid-sensor-id" } as const;
  api.data.deadLetters = [letter(1)];
  page = await stage().open("#/publish");
  await eventually(() => {
    expect(api.asked.filter((path) => path.startsWith("/dead-letters"))).not.toEqual([]);
  });
  api.data.deadLetters = [letter(3, { ...nameless, mqttTopic: "imu/a b" }), letter(2, { sensorId: "s9" }), letter(1)];
  await outcome().getByText("On the topic imu/a b: it is not JSON.").waitFor();
  expect(await page.getByLabel("Messages before").count()).toBe(0);
});

test("another sensor has an address of its own, and what is none is named", async () => {
  page = await stage().open("#/publish");
  await page.getByRole("textbox", { name: "Sensor id" }).fill("a b");
  await page.getByText("1 to 128 of A-Z a-z 0-9 : _ - are expected.").waitFor();
  await page.getByRole("textbox", { name: "Sensor id" }).fill("s7");
  await page.keyboard.press("Enter");
  await subscribed("s7");
  expect(new URL(page.url()).hash).toBe("#/publish?sensorId=s7");
  await page.getByRole("link", { name: "Rejected" }).click();
  await eventually(() => {
    expect([...api.subscriptions]).toEqual([]);
  });
});

test("where devices have certificates the command asks for the endpoint, under the environment's prefix", async () => {
  page = await stage().open("");
  const config = (await (await page.request.get(new URL("/config.json", page.url()).href)).json()) as object;
  await page.route("**/config.json", (route) =>
    route.fulfill({ json: { ...config, environment: "prod", mqtt: { url: null, prefix: "prod" } } }),
  );
  await page.reload();
  const command = page.getByLabel("Command that publishes", { exact: true });
  await command.getByText("aws iot describe-endpoint").waitFor();
  expect(await command.textContent()).toContain("-i my-sensor -q 1 -t prod/imu/my-sensor ");
  expect(await page.getByText("A device of prod has a certificate").count()).toBe(1);
});

test("with the API away there is a banner, and what is there stays", async () => {
  page = await stage().open("#/publish");
  await subscribed("my-sensor");
  await api.stop();
  await page.locator("#loss").getByText("The API has not answered").waitFor();
  expect(await page.getByLabel("Command that publishes", { exact: true }).isVisible()).toBe(true);
});

const looks: Readonly<Record<string, BrowserContextOptions>> = {
  light: {},
  dark: { colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 } },
};
test.each(Object.keys(looks))("%s: axe finds nothing, and nothing is wider than the window", async (look) => {
  page = await stage().open("#/publish", looks[look]);
  await subscribed("my-sensor");
  for (const type of ["waiting", "refused", "accepted"]) {
    if (type === "refused") api.data.deadLetters = [letter(1)];
    if (type === "accepted")
      api.send({ type: "samples", data: { sensorId: "my-sensor", id: "imu-data-all/3/2/0", t: [now] } });
    await page.locator(`.outcome.${type}`).waitFor();
    expect(await violations(page)).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0);
  }
});
