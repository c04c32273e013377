import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Partitioners, type Message } from "kafkajs";
import { createTopics } from "../../../../adapters/kafka-topics.ts";
import { readSettings } from "../../../../config/settings.ts";
import { topics } from "../../../../domain/topics.ts";
import { startServers, type Servers } from "../../../../local/servers/index.ts";
import { Stories } from "../../../../local/stories.ts";
import type { Story } from "../../../../processor/commands/trace/tell.ts";
import { startProgram, testKafka, type Program } from "../../../bridge/harness.ts";
import { eventually } from "../../../support/eventually.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..", "..");
const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
/** A whole second, some seconds ago. */
const START = Math.floor(Date.now() / 1_000) * 1_000 - 10_000;

let dataDir: string;
let servers: Servers;
let processor: Program;

/** A message of four readings, 250 ms apart. */
function message(seq: number, start: number, acceleration = 9.8): Message {
  const t = [0, 250, 500, 750].map((later) => start + later);
  return {
    key: "s1",
    value: JSON.stringify({ seq, boot: "b1", t, samples: t.map(() => [0, 0, acceleration, 0, 0, 0]) }),
    headers: {
      "content-type": "application/json",
      "ingest-ms": String(start + 900),
      ...(seq === 1 ? { traceparent: `00-${TRACE_ID}-00f067aa0ba902b7-01` } : {}),
    },
  };
}

// Servers of its own: the names of topics and groups are the platform's.
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "millrace-trace-"));
  servers = await startServers({ which: ["kafka", "dynamodb"], dataDir });
  const kafka = testKafka(servers.kafkaBrokers);
  const admin = kafka.admin();
  await admin.connect();
  await createTopics(admin, { specs: Object.values(topics).map((spec) => ({ ...spec, partitions: 2 })) });
  await admin.disconnect();
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const messages = [
    message(0, START),
    message(1, START + 1_000),
    message(2, START + 2_000),
    message(1, START + 1_000), // delivered twice
    message(3, START + 3_000, 999), // no acceleration of this earth
    message(4, START - 600_000), // ten minutes: later than the lateness allows
    message(6, START + 4_000), // 5 never arrives
  ];
  for (const one of messages) await producer.send({ topic: topics.imuData.name, messages: [one] });
  const { value, ...tooLarge } = message(7, START + 5_000);
  await producer.send({
    topic: topics.deadLetter.name,
    messages: [
      {
        ...tooLarge,
        value: value!,
        headers: {
          "error-code": "payload-too-large",
          "error-message": "the payload has too many bytes",
          stage: "bridge",
          "mqtt-topic": "imu/s1",
          "letter-id": "mqtt/1",
        },
      },
    ],
  });
  await producer.disconnect();
  processor = startProgram(
    "processor/main.ts",
    [],
    { KAFKA_BROKERS: servers.kafkaBrokers, DYNAMODB_ENDPOINT: servers.dynamodbEndpoint },
    join(dataDir, "processor.log"),
  );
  await eventually(
    async () => expect((await trace("--sensor", "s1", "--seq", "6")).arrivals[0]?.verdict).toBe("accepted"),
    { limitMs: 60_000 },
  );
}, 300_000);
afterAll(async () => {
  await processor?.end("SIGTERM");
  await servers?.stop();
  rmSync(dataDir, { recursive: true, force: true });
}, 60_000);

async function run(...args: string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const main = join(ROOT, "processor/commands/trace/main.ts");
  return promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
    env: { ...process.env, KAFKA_BROKERS: servers.kafkaBrokers },
  });
}

async function trace(...args: string[]): Promise<Story> {
  return JSON.parse((await run(...args, "--json")).stdout) as Story;
}

/** What each output is: its topic, its id without the log and the partition, and whether it holds the readings. */
const outputsOf = ({ arrivals }: Story, i = 0): string[][] =>
  arrivals[i]!.outputs.map(({ topic, id, role }) => [topic, id.split("/").slice(2).join("/"), role]);
const holding = (story: Story, i = 0): string[][] => outputsOf(story, i).filter(([, , role]) => role === "holds");

test("an accepted message: when it came, and every output that holds its readings, by id", async () => {
  const story = await trace("--sensor", "s1", "--seq", "0");
  const [arrival] = story.arrivals;
  expect(story.arrivals).toHaveLength(1);
  expect(arrival).toMatchObject({ verdict: "accepted", offset: 0, ingestMs: START + 900, letters: [] });
  expect(arrival!.subject).toMatchObject({ readings: 4, times: { first: START, last: START + 750 } });
  // By hand: its step starts the session and transforms it. Its window [START, START + 1000) fires when the watermark,
  // 500 ms behind the newest reading, reaches the window's end: at seq 1, whose last reading is START + 1750.
  expect(holding(story)).toEqual(
    expect.arrayContaining([
      ["transformed", "0/0", "holds"],
      ["sessions", "0/0", "holds"],
      ["aggregated", "1/0", "holds"],
    ]),
  );
  expect(holding(story)).toHaveLength(3);
}, 60_000);

test("a message that came twice: the second arrival is a duplicate of the first", async () => {
  const story = await trace("--sensor", "s1", "--seq", "1", "--boot", "b1");
  expect(story.arrivals.map(({ verdict, offset }) => [verdict, offset])).toEqual([
    ["accepted", 1],
    ["duplicate", 3],
  ]);
  expect(story.arrivals[1]!.why).toMatch(/^the message had arrived before, as imu-data-all\/[01]\/1$/);
  // Its window fires at seq 2. In its own step the window of seq 0 fires, which holds none of its readings.
  expect(outputsOf(story)).toEqual(
    expect.arrayContaining([
      ["transformed", "1/0", "holds"],
      ["aggregated", "2/0", "holds"],
      ["aggregated", "1/0", "caused"],
    ]),
  );
}, 60_000);

test("the same story by the trace id, by the record, by an output's id and by an output's place", async () => {
  const byNumber = await trace("--sensor", "s1", "--seq", "1");
  const place = byNumber.arrivals[0]!.place;
  expect((await trace(TRACE_ID)).arrivals).toEqual(byNumber.arrivals);
  expect((await trace(place)).arrivals).toEqual(byNumber.arrivals);
  expect((await trace(`${place}/0`)).arrivals).toEqual(byNumber.arrivals);
  expect((await trace(`s1@${START}`)).arrivals).toEqual((await trace("--sensor", "s1", "--seq", "0")).arrivals);
  const transformed = byNumber.arrivals[0]!.outputs.find(({ topic }) => topic === "transformed")!;
  expect((await trace(transformed.place)).arrivals).toEqual(byNumber.arrivals);
}, 60_000);

test("npm start tells the page the same story, of what the log had at any time", async () => {
  const stories = Stories.ofLog(readSettings("dump", { KAFKA_BROKERS: servers.kafkaBrokers }));
  const byNumber = await trace("--sensor", "s1", "--seq", "1");
  const place = byNumber.arrivals[0]!.place;
  for (const name of [place, TRACE_ID]) {
    const { status, body } = await stories.answer(name);
    expect([status, (JSON.parse(JSON.stringify(body)) as Story).arrivals]).toEqual([200, byNumber.arrivals]);
  }
  expect(await stories.answer("imu-data-all/0/999999")).toMatchObject({ status: 404 });
}, 60_000);

test("a dead-lettered message: the code, the message and the letter", async () => {
  const story = await trace("--sensor", "s1", "--seq", "3");
  const [arrival] = story.arrivals;
  expect(arrival).toMatchObject({ verdict: "dead-lettered", offset: 4, outputs: [] });
  expect(arrival!.why).toContain("out-of-range: sample 0, az is 999");
  expect(arrival!.letters).toMatchObject([{ code: "out-of-range", source: { topic: "imu-data-all", offset: 4 } }]);
  const { place } = arrival!.letters[0]!;
  expect((await trace(place)).arrivals).toEqual(story.arrivals);
  expect((await run("--sensor", "s1", "--seq", "3")).stdout).toContain(
    "what to do                Send m/s² (at most 320)",
  );
}, 60_000);

test("a late message: for which windows it came too late", async () => {
  const story = await trace("--sensor", "s1", "--seq", "4");
  expect(story.arrivals).toMatchObject([{ verdict: "late", offset: 5, letters: [] }]);
  const from = new Date(START - 600_000).toISOString();
  expect(story.arrivals[0]!.why).toContain(`late for window [${from}, ${new Date(START - 599_000).toISOString()})`);
  expect(outputsOf(story).filter(([topic]) => topic === "late")).toContainEqual(["late", "5/0", "holds"]);
}, 60_000);

test("a message that never arrived: which ones before and after it did", async () => {
  const story = await trace("--sensor", "s1", "--seq", "5");
  expect(story).toMatchObject({ arrivals: [], letters: [] });
  expect(story.neighbours.map(({ seq, place }) => [seq, place.split("/")[2]])).toEqual([
    [4, "5"],
    [6, "6"],
  ]);
  const { stdout } = await run("--sensor", "s1", "--seq", "5");
  expect(stdout).toMatch(/^sensor s1, seq 5: never arrived\n/);
  const other = await run("--sensor", "s2", "--seq", "5");
  expect(other.stdout).toContain("never arrived");
}, 60_000);

test("a message that the bridge dead-lettered, because Kafka could not take it", async () => {
  const story = await trace("--sensor", "s1", "--seq", "7");
  expect(story).toMatchObject({ arrivals: [], letters: [{ code: "payload-too-large", id: "mqtt/1" }] });
  const { stdout } = await run("--sensor", "s1", "--seq", "7", "--boot", "b1");
  expect(stdout).toMatch(/^sensor s1, seq 7, boot b1: dead-lettered by the bridge\n/);
  expect((await trace("--sensor", "s1", "--seq", "7", "--boot", "b2")).letters).toEqual([]);
}, 60_000);

test.each([
  [["imu-data-all/0/999999"], "imu-data-all/0/999999 is not in the log"],
  [["imu-data-all/9/0"], "imu-data-all has no partition 9"],
  [["imu-data-all~2/0/0/0"], "imu-data-all~2/0/0 comes from the log imu-data-all~2"],
  [["f".repeat(32)], "has the trace id ffff"],
])(
  "%j is refused, and the message says why",
  async (args, problem) => {
    await expect(run(...args)).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining(problem) as unknown });
  },
  60_000,
);
