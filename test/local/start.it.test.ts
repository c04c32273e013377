import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, jest, test } from "@jest/globals";
import { createKafka } from "../../adapters/kafka.ts";
import { topics } from "../../domain/topics.ts";
import { isPortFree } from "../../local/ports.ts";
import { eventually } from "../support/eventually.ts";
import { isRunning, pickPlatformPorts, StartedPlatform, type PlatformPorts } from "../support/platform.ts";

jest.setTimeout(300_000);
const PATIENT_MS = 120_000;
const servers = ["kafka", "mqtt", "dynamodb", "mongodb"];

let folder: string;
let ports: PlatformPorts;
const started: StartedPlatform[] = [];
const start = (...args: string[]): StartedPlatform => {
  const platform = new StartedPlatform(join(folder, "home"), ports, args);
  started.push(platform);
  return platform;
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-start-"));
  ports = await pickPlatformPorts();
});
// Whatever failed, nothing stays: each start is told to stop, and awaited.
afterEach(async () => {
  for (const platform of started.splice(0)) {
    try {
      platform.interrupt();
    } catch {
      // It has ended.
    }
    await platform.exited;
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const untilUp = (platform: StartedPlatform): Promise<void> => eventually(() => expect(platform.output).toContain("Ctrl-C stops all of it."), PATIENT_MS);
const untilEnded = (pids: readonly number[]): Promise<void> => eventually(() => expect(pids.filter(isRunning)).toEqual([]), PATIENT_MS);

/** How many records the input topic has: data that a restart keeps. */
async function inputRecords(): Promise<number> {
  const admin = createKafka({ kafkaBrokers: `127.0.0.1:${ports.kafka}`, kafkaAuth: "none", region: "local" }, "test").admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topics.imuData.name);
  await admin.disconnect();
  return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
}

test("what is killed comes back, Ctrl-C leaves nothing, and the data is there at the next start", async () => {
  const first = start("--sensors", "4", "--rate", "50");
  await untilUp(first);
  await eventually(() => expect(first.output).toMatch(/in [1-9][\d,]* readings\/s/), PATIENT_MS);
  for (const name of ["processor", "bridge", ...servers]) {
    const before = first.pids()[name]!;
    process.kill(before, "SIGKILL");
    await eventually(() => expect(first.pids()[name]).not.toBe(before), PATIENT_MS);
    expect(first.output).toContain(`${name} ended (SIGKILL)`);
  }
  // The line of figures counts them, and nothing is still on its way.
  await eventually(() => expect(first.output.trimEnd().split("\n").at(-1)).toMatch(/restarts [1-9]\d*$/), PATIENT_MS);
  await eventually(async () => expect(await inputRecords()).toBeGreaterThan(0), PATIENT_MS);
  const kept = await inputRecords();

  const pids = Object.values(first.pids());
  first.interrupt();
  expect(await first.exited).toBe(0);
  expect(pids.filter(isRunning)).toEqual([]);
  for (const port of Object.values(ports)) expect([port, await isPortFree(port)]).toEqual([port, true]);

  const second = start("--no-simulator");
  await untilUp(second);
  expect(await inputRecords()).toBeGreaterThanOrEqual(kept);
});

test("a start after kill -9 ends what was left and keeps the data; two at once are refused", async () => {
  const killed = start("--no-simulator");
  await untilUp(killed);
  const left = killed.pids();
  const kept = await inputRecords();

  const meanwhile = start("--no-simulator");
  expect(await meanwhile.exited).toBe(1);
  expect(meanwhile.output).toContain(`running already, as process ${left["main"]}`);

  process.kill(left["main"]!, "SIGKILL");
  await killed.exited;
  const next = start("--no-simulator");
  await untilUp(next);
  expect(Object.values(left).filter(isRunning)).toEqual([]);
  expect(await inputRecords()).toBeGreaterThanOrEqual(kept);

  next.interrupt();
  expect(await next.exited).toBe(0);

  const fresh = start("--no-simulator", "--fresh");
  await untilUp(fresh);
  expect(await inputRecords()).toBeLessThan(kept);
});

test("when npm is killed, what it ran stops by itself", async () => {
  const platform = start("--no-simulator");
  await untilUp(platform);
  const pids = Object.values(platform.pids());
  platform.killBootstrap();
  await untilEnded(pids);
});

test("what stands in the way is said once, with the remedy, and the exit code is not 0", async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => void holder.listen(ports.kafka, "127.0.0.1", resolve));
  const blocked = start();
  expect(await blocked.exited).toBe(1);
  expect(blocked.output).toMatch(new RegExp(`port ${ports.kafka} \\(Apache Kafka\\) is taken by process ${process.pid}.*--port-kafka N`));
  await new Promise((resolve) => holder.close(resolve));

  const file = join(folder, "file");
  writeFileSync(file, "");
  const broken = new StartedPlatform(file, ports, []);
  expect(await broken.exited).toBe(1);
  expect(broken.output).toContain("--home DIR");

  const mistaken = start("--sensors", "none", "--colour", "red");
  expect(await mistaken.exited).toBe(2);
  expect(mistaken.output).toContain('--sensors is "none"');
  expect(mistaken.output).toContain("--colour is not an option");
});
