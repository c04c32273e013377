import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { createTopics } from "../../adapters/kafka-topics.ts";
import { environment } from "../../config/environments/index.ts";
import { topics } from "../../domain/topics.ts";
import { checkPromotion } from "../../lib/smoke/model.ts";
import { rowOf } from "../../lib/smoke/table.ts";
import { startServers, type Servers } from "../../local/servers/index.ts";
import { testKafka } from "../bridge/harness.ts";
import { EcsStandIn } from "./ecs-standin.ts";
import { root } from "./synthesised.ts";

const LIMIT_MS = 180_000;
const before = { ...process.env };
let dataDir: string;
let servers: Servers;
let standIn: EcsStandIn;
let store: string;

// Servers of its own: the names of topics are the platform's.
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "millrace-smoke-model-"));
  servers = await startServers({ which: ["kafka"], dataDir });
  const admin = testKafka(servers.kafkaBrokers).admin();
  await admin.connect();
  await createTopics(admin, { specs: [topics.imuData, topics.changes], partitions: 2 });
  await admin.disconnect();
}, LIMIT_MS);
afterAll(async () => {
  await servers?.stop();
  rmSync(dataDir, { recursive: true, force: true });
}, LIMIT_MS);

beforeEach(async () => {
  store = mkdtempSync(join(dataDir, "store-"));
  standIn = new EcsStandIn({
    cluster: "millrace-dev-cluster",
    services: ["millrace-dev-live", "millrace-dev-processor-sensor"],
    family: "millrace-dev-ops",
    environment: { KAFKA_BROKERS: servers.kafkaBrokers, MODEL_SOURCE: store },
  });
  process.env["AWS_ENDPOINT_URL"] = await standIn.listen();
});
afterEach(async () => {
  process.env = { ...before };
  await standIn.close();
});

/** Puts the shipped model into the store, in a stage. */
function have(stage: string, change: object = {}): void {
  const shipped = join(root, "models/activity");
  const manifest = JSON.parse(readFileSync(join(shipped, "manifest.json"), "utf8")) as { version: string };
  const folder = join(store, "activity", manifest.version);
  mkdirSync(folder, { recursive: true });
  cpSync(shipped, folder, { recursive: true });
  writeFileSync(join(folder, "manifest.json"), JSON.stringify({ ...manifest, stage, ...change }));
}

const stageNow = (): string =>
  (JSON.parse(readFileSync(join(store, "activity/1.0.0/manifest.json"), "utf8")) as { stage: string }).stage;

const check = () =>
  rowOf("promotion", () =>
    checkPromotion(
      {
        config: environment("dev"),
        roles: { "on-call": () => Promise.resolve({ accessKeyId: "id", secretAccessKey: "secret" }) },
      },
      { pauseMs: 50 },
    ),
  );

/** The control records of models in each partition, from these offsets on; their number is taken before. */
async function controls(act: () => Promise<unknown>): Promise<unknown[]> {
  const kafka = testKafka(servers.kafkaBrokers);
  const admin = kafka.admin();
  await admin.connect();
  const ends = async () =>
    new Map(
      (await admin.fetchTopicOffsets(topics.imuData.name)).map(({ partition, high }) => [partition, Number(high)]),
    );
  const from = await ends();
  await act();
  const to = await ends();
  await admin.disconnect();
  const expected = [...to].reduce((sum, [partition, end]) => sum + end - from.get(partition)!, 0);
  const found: { partition: number; model: unknown }[] = [];
  if (expected === 0) return found;
  const consumer = kafka.consumer({ groupId: `smoke-model-${Date.now()}` });
  await consumer.connect();
  await consumer.subscribe({ topic: topics.imuData.name, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    setTimeout(() => reject(new Error(`${found.length} of ${expected} records came`)), 60_000).unref();
    void consumer.run({
      eachMessage: async ({ partition, message: { offset, headers = {} } }) => {
        if (Number(offset) < from.get(partition)!) return;
        expect(String(headers["type"])).toBe("model");
        found.push({ partition, model: JSON.parse(String(headers["model"])) });
        if (found.length === expected) resolve();
      },
    });
  });
  await consumer.disconnect();
  return found.toSorted((a, b) => a.partition - b.partition);
}

test(
  "where no model scores, the smoke test promotes none, to every partition, by tasks",
  async () => {
    const found = await controls(async () =>
      expect(await check()).toEqual({
        what: "promotion",
        result: "holds",
        detail: "model promote none: no model scores: appended to 2 partitions; the processor switches there",
      }),
    );
    expect(found).toEqual([0, 1].map((partition) => ({ partition, model: { stage: "none" } })));
    expect(standIn.runs.map(({ overrides }) => overrides.containerOverrides[0]!.command)).toEqual([
      ["list"],
      ["promote", "none"],
    ]);
  },
  LIMIT_MS,
);

test(
  "a version that is live is promoted to live again",
  async () => {
    have("live");
    const found = await controls(async () =>
      expect(await check()).toMatchObject({
        result: "holds",
        detail: expect.stringMatching(
          /^model promote activity 1\.0\.0: activity 1\.0\.0 is live: appended to 2 partit/,
        ),
      }),
    );
    const model = { name: "activity", version: "1.0.0", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) };
    expect(found).toEqual([0, 1].map((partition) => ({ partition, model: { stage: "live", model } })));
    expect(stageNow()).toBe("live");
  },
  LIMIT_MS,
);

test(
  "beside a canary nothing is promoted, and that is no failure",
  async () => {
    have("canary");
    const found = await controls(async () =>
      expect(await check()).toEqual({
        what: "promotion",
        result: "not tried",
        detail: "activity 1.0.0 is a canary: any promotion would change its share",
      }),
    );
    expect(found).toEqual([]);
  },
  LIMIT_MS,
);

test(
  "a promotion that fails there fails here, with the command's own words",
  async () => {
    have("live", { sha256: "0".repeat(64) });
    expect(await check()).toMatchObject({
      result: "FAILED",
      detail: expect.stringMatching(
        /^npm run on-aws -- model promote activity 1\.0\.0 ended with 1: model-refused: .*/,
      ),
    });
  },
  LIMIT_MS,
);
