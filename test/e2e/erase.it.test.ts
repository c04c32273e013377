import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { connectAsync } from "mqtt";
import { dynamoDbClient } from "../../adapters/dynamodb.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { createLogger } from "../../adapters/log.ts";
import { writeSettings } from "../../config/settings.ts";
import { tables } from "../../domain/tables.ts";
import { openLake } from "../../local/lake/open.ts";
import { type PlatformPorts, pickPlatformPorts } from "../../local/processes/ports.ts";
import { DynamoSnapshots } from "../../processor/adapters/dynamo-snapshots.ts";
import { sensorMachineFactory } from "../../processor/adapters/machine-factory.ts";
import type { Certificate } from "../../processor/commands/erase/erase.ts";
import { snapshotContent } from "../../processor/commands/erase/state.ts";
import { type Contents, documentsIn, featuresIn, sensorsOf } from "../restore-drill/contents.ts";
import { readTopic } from "../support/accounting.ts";
import { eventually } from "../support/eventually.ts";
import { StartedPlatform } from "../support/platform.ts";
import { simulate } from "../support/simulate.ts";

jest.setTimeout(900_000);
const ROOT = join(import.meta.dirname, "..", "..");
const LIMIT_MS = 240_000;
const GONE = "sim-002";

const home = mkdtempSync(join(tmpdir(), "millrace-erase-e2e-"));
const lakeDir = join(home, "data", "lake");
let ports: PlatformPorts;
let platform: StartedPlatform;
beforeAll(async () => {
  ports = await pickPlatformPorts();
  platform = new StartedPlatform(home, ports, ["--no-simulator"]);
  await platform.untilUp(LIMIT_MS);
});
afterAll(async () => {
  platform?.interrupt();
  await platform?.exited;
  rmSync(home, { recursive: true, force: true });
});

async function erase(sensor: string): Promise<{ certificate: Certificate; said: string }> {
  const at = (port: number): string => `http://127.0.0.1:${port}`;
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [
      ...["--disable-warning=ExperimentalWarning", join(ROOT, "processor/commands/erase/main.ts")],
      ...["--sensor", sensor, "--yes", "--lake", lakeDir, "--certificate", join(home, `${sensor}.json`)],
      ...["--brokers", `127.0.0.1:${ports.kafka}`, "--dynamodb", at(ports.dynamodb)],
    ],
    {
      env: {
        ...process.env,
        MONGODB_URI: `mongodb://127.0.0.1:${ports.mongodb}`,
        FEATURE_STORE_ENDPOINT: at(ports.features),
        OFFLINE_STORE_ENDPOINT: at(ports.features),
      },
    },
  );
  const certificate = JSON.parse(stdout) as Certificate;
  expect(JSON.parse(readFileSync(join(home, `${sensor}.json`), "utf8"))).toEqual(certificate);
  return { certificate, said: stderr };
}

async function lakeText(): Promise<string> {
  const lake = await openLake(lakeDir);
  const texts: string[] = [];
  for (const table of Object.keys(tables))
    texts.push(JSON.stringify((await lake.runAndReadAll(`SELECT * FROM ${table}`)).getRowsJson()));
  lake.closeSync();
  return texts.join();
}

/** Bytes of all files under a folder. */
function filesText(folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
  return files.map((file) => (statSync(file).isFile() ? readFileSync(file, "latin1") : "")).join();
}

const others = (contents: Contents): string[] =>
  [...contents]
    .filter(([name, document]) => !/session-times/.test(name) && !`${name} ${document}`.includes(GONE))
    .map((entry) => JSON.stringify(entry));

test("an erased sensor is nowhere but in what its certificate names, and the others keep all", async () => {
  const mqttUrl = `mqtt://127.0.0.1:${ports.mqtt}`;
  const settings = writeSettings("simulator", { mqttUrl, logLevel: "error", healthPort: 0 });
  await simulate(
    ["--sensors", "4", "--rate", "50", "--duration", "12"],
    settings,
    join(home, "published.json"),
    () => null,
  ).result;
  const device = await connectAsync(mqttUrl, { protocolVersion: 5 });
  await device.publishAsync(`imu/${GONE}`, "{", { qos: 1 });
  await device.endAsync();
  const mongodb = `mongodb://127.0.0.1:${ports.mongodb}`;
  const features = `http://127.0.0.1:${ports.features}`;
  // All sessions have ended by silence, the store has them, and nothing comes any more.
  let last = "";
  const before = await eventually(() => documentsIn(mongodb), {
    until: (documents) => {
      const text = JSON.stringify([...documents]);
      const isStill = text === last;
      last = text;
      const sessions = [...documents].filter(([name]) => name.startsWith("sessions "));
      const refused = documents.has(`rejected ${GONE}`);
      return isStill && refused && sessions.length >= 4 && sessions.every(([, session]) => session.includes("ended"));
    },
    limitMs: LIMIT_MS,
    pauseMs: 5_000,
  });
  const givenAt = Date.now();
  const { certificate, said } = await erase(GONE);
  const erasedAt = Date.parse(certificate.erasedAt);
  expect(erasedAt).toBeGreaterThanOrEqual(givenAt);
  expect(erasedAt).toBeLessThanOrEqual(Date.now());
  expect(said).toContain(`${GONE} is erased`);
  expect(certificate).toMatchObject({ sensorId: GONE, found: true });
  const { removed, remains } = certificate;
  expect(removed.state).toBeGreaterThan(0);
  expect(removed.store).toMatchObject({ sensors: 1, "dead-letters": 1, rejected: 1 });
  expect(removed.store["windows"]).toBeGreaterThan(0);
  expect(removed.store["session-times"]).toBeGreaterThan(0);
  expect(removed.features["online"]).toBe(1);
  expect(removed.features["offline"]).toBeGreaterThan(0);
  expect(removed.lake!["raw"]).toBeGreaterThan(10);
  expect(removed.lake!["aggregated"]).toBeGreaterThan(10);
  expect(remains.map(({ where }) => where)).toEqual(
    expect.arrayContaining(["Kafka topic imu-data-all", "Kafka topic sensor-inference", "Kafka topic dead-letter"]),
  );
  // Seven days as DESIGN says, and a segment of seven days.
  const inputGoes = Date.parse(remains.find(({ where }) => where === "Kafka topic imu-data-all")!.until);
  expect(Math.round((inputGoes - erasedAt) / 86_400_000)).toBe(14);

  const after = await documentsIn(mongodb);
  expect([...after].flat().join()).not.toContain(GONE);
  // `session-times` names sessions in base64.
  expect([...after].flat().join()).not.toContain(Buffer.from(`${GONE}@`).toString("base64url").slice(0, 10));
  expect(others(after)).toEqual(others(before));
  expect(sensorsOf(after).sort()).toEqual(["sim-001", "sim-003", "sim-004"]);
  expect((await featuresIn(features, [GONE])).get(`features ${GONE}`)).toBe("null");
  const text = await lakeText();
  expect(text).not.toContain(GONE);
  expect(text).not.toContain(Buffer.from(GONE).toString("base64"));
  expect(text).toContain("sim-003");
  expect(filesText(lakeDir)).not.toContain(GONE);
  const dynamodb = dynamoDbClient("local", `http://127.0.0.1:${ports.dynamodb}`);
  const snapshots = new DynamoSnapshots(dynamodb, "millrace-local-checkpoints");
  const logger = createLogger("erase-test", "error");
  for (let partition = 0; partition < 10; partition++)
    expect(await snapshotContent(snapshots, sensorMachineFactory(), partition, GONE, logger)).toMatchObject({
      entries: 0,
    });
  dynamodb.destroy();
  // What the certificate names: the topics still have it.
  const kafka = createKafka({ kafkaBrokers: `127.0.0.1:${ports.kafka}`, kafkaAuth: "none", region: "local" }, "erase");
  const inLog = (await readTopic(kafka, "imu-data-all")).flat().filter(({ key }) => String(key) === GONE);
  expect(inLog.length).toBe(removed.lake!["raw"]! - 10); // one `erase` record in each of ten partitions

  const again = await erase(GONE);
  expect(again.certificate).toMatchObject({ found: false, removed: { state: 0, features: { online: 0, offline: 0 } } });
  const unknown = await erase("nobody");
  expect(unknown.certificate.found).toBe(false);
  expect(unknown.said).toContain("nothing of nobody was found: the sensor is unknown");
  expect(await lakeText()).not.toContain("nobody");
});
