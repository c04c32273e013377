import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { createKafka } from "../../adapters/kafka.ts";
import { topics } from "../../domain/topics.ts";
import { isPortFree, pickPlatformPorts, type PlatformPorts } from "../../local/processes/ports.ts";
import { eventually } from "../support/eventually.ts";
import { isRunning, StartedPlatform } from "../support/platform.ts";

jest.setTimeout(300_000);
const PATIENT_MS = 120_000;
/** A start of thirteen processes takes more than a minute on a busy machine. */
const UP_LIMIT_MS = 240_000;
const servers = ["kafka", "mqtt", "dynamodb", "mongodb"];

let folder: string;
let ports: PlatformPorts;
/** The tests below share this start, because a start takes long. Some of them replace it. */
let running: StartedPlatform;
const start = (...args: string[]): StartedPlatform => new StartedPlatform(join(folder, "home"), ports, args);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-start-"));
  ports = await pickPlatformPorts();
  running = start("--sensors", "4", "--rate", "50");
});
// No process stays, whatever failed.
afterAll(async () => {
  running.interrupt();
  await running.exited;
  rmSync(folder, { recursive: true, force: true });
});

const untilEnded = (pids: readonly number[]): Promise<void> =>
  eventually(() => expect(pids.filter(isRunning)).toEqual([]), { limitMs: PATIENT_MS });

/** Number of records in the input topic. A restart must keep them. */
async function inputRecords(): Promise<number> {
  const admin = createKafka(
    { kafkaBrokers: `127.0.0.1:${ports.kafka}`, kafkaAuth: "none", region: "local" },
    "test",
  ).admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topics.imuData.name);
  await admin.disconnect();
  return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
}

test("it prints the addresses, and readings arrive", async () => {
  await running.untilUp(UP_LIMIT_MS);
  expect(running.output).toContain(`http://127.0.0.1:${ports.api}`);
  await eventually(() => expect(running.output).toMatch(/in [1-9][\d,]* readings\/s/), { limitMs: PATIENT_MS });
});

test("no partition keeps more than 256 MiB and a segment", async () => {
  await running.untilUp(UP_LIMIT_MS);
  const admin = createKafka(
    { kafkaBrokers: `127.0.0.1:${ports.kafka}`, kafkaAuth: "none", region: "local" },
    "test",
  ).admin();
  await admin.connect();
  const deleting = Object.values(topics).filter(({ cleanup }) => cleanup === "delete");
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: deleting.map(({ name }) => ({ type: 2, name, configNames: ["retention.bytes", "segment.bytes"] })),
  });
  await admin.disconnect();
  expect(resources).toHaveLength(deleting.length);
  for (const { configEntries } of resources)
    expect(Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue]))).toEqual({
      "retention.bytes": "268435456",
      "segment.bytes": "33554432",
    });
});

test("programs and servers that are killed come back, and the status line counts the restarts", async () => {
  await running.untilUp(UP_LIMIT_MS);
  for (const name of ["processor", "bridge", ...servers]) {
    const before = running.pids()[name]!;
    process.kill(before, "SIGKILL");
    await eventually(() => expect(running.pids()[name]).not.toBe(before), { limitMs: PATIENT_MS });
    await eventually(() => expect(running.output).toContain(`${name} ended (SIGKILL)`), { limitMs: PATIENT_MS });
  }
  await eventually(
    () => {
      const line = running.output.trimEnd().split("\n").at(-1)!;
      expect(Number(/restarts (\d+)/.exec(line)?.[1])).toBeGreaterThanOrEqual(6);
      expect(line).not.toContain("starting:");
    },
    { limitMs: PATIENT_MS },
  );
});

test("Ctrl-C leaves no process and no port, and the next start has the data", async () => {
  const kept = await eventually(
    async () => {
      const records = await inputRecords();
      expect(records).toBeGreaterThan(0);
      return records;
    },
    { limitMs: PATIENT_MS },
  );
  const pids = Object.values(running.pids());
  running.interrupt();
  expect(await running.exited).toBe(0);
  expect(pids.filter(isRunning)).toEqual([]);
  for (const port of Object.values(ports)) expect([port, await isPortFree(port)]).toEqual([port, true]);

  running = start("--no-simulator");
  await running.untilUp(UP_LIMIT_MS);
  expect(await inputRecords()).toBeGreaterThanOrEqual(kept);
});

test("a second start from the same folder is refused while the first one runs", async () => {
  const second = start("--no-simulator");
  expect(await second.exited).toBe(1);
  expect(second.output).toContain(`already running as process ${running.pids()["main"]}`);
});

test("a start after kill -9 ends the orphaned processes, and has the data", async () => {
  const left = running.pids();
  const kept = await inputRecords();
  process.kill(left["main"]!, "SIGKILL");
  await running.exited;
  running = start("--no-simulator");
  await running.untilUp(UP_LIMIT_MS);
  expect(Object.values(left).filter(isRunning)).toEqual([]);
  expect(await inputRecords()).toBeGreaterThanOrEqual(kept);
});

test("when npm is killed, everything stops by itself", async () => {
  const pids = Object.values(running.pids());
  running.killBootstrap();
  await untilEnded(pids);
});

test("an obstacle is reported once with its remedy, and the exit code is not 0", async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => void holder.listen(ports.kafka, "127.0.0.1", resolve));
  const blocked = start();
  expect(await blocked.exited).toBe(1);
  expect(blocked.output).toMatch(
    new RegExp(`port ${ports.kafka} \\(Apache Kafka\\) is taken by process ${process.pid}.*--port-kafka N`),
  );
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
