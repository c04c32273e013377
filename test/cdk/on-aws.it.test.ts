import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeAll, expect, test } from "@jest/globals";
import { eventually } from "../support/eventually.ts";
import { append, createTopics } from "../support/kafka-topics.ts";
import { sharedServers } from "../support/servers.ts";
import { EcsStandIn, networks, type StandInParts } from "./ecs-standin.ts";
import { root } from "./synthesised.ts";

const TOPIC = `on-aws-${process.pid}`;
const { kafkaBrokers } = sharedServers();
const dev = {
  cluster: "millrace-dev-cluster",
  services: ["millrace-dev-live", "millrace-dev-processor-sensor"],
  family: "millrace-dev-ops",
  environment: { KAFKA_BROKERS: kafkaBrokers, PIPELINE: "sensor" },
};
let standIn: EcsStandIn;
afterEach(() => standIn.close());

beforeAll(async () => {
  await createTopics(kafkaBrokers, [TOPIC]);
  const messages = [0, 1, 2, 3, 4].map((n) => ({ key: "k", value: `{"n":${n}}` }));
  await append(kafkaBrokers, TOPIC, messages);
}, 60_000);

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the program with the official clients, which find the stand-in by their own variables. */
async function start(parts: StandInParts, ...args: string[]) {
  standIn = new EcsStandIn(parts);
  const endpoint = await standIn.listen();
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(root, "bin/on-aws.ts"), "--env", "dev", ...args],
    {
      cwd: root,
      env: {
        PATH: process.env["PATH"],
        AWS_ENDPOINT_URL: endpoint,
        AWS_ACCESS_KEY_ID: "id",
        AWS_SECRET_ACCESS_KEY: "secret",
      },
    },
  );
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said.stderr += chunk.toString()));
  const ended = once(child, "close").then(([code]): Ended => ({ code: code as number | null, ...said }));
  return { child, ended };
}

const run = async (parts: StandInParts, ...args: string[]): Promise<Ended> => (await start(parts, ...args)).ended;

test("a command runs as a task, with its arguments as they are; its output and its exit code come back", async () => {
  const { code, stdout, stderr } = await run(dev, "dump", "--topic", TOPIC, "--from", "1");
  expect(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { value: object }).value),
  ).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }]);
  expect([code, stderr.split("\n").length]).toEqual([0, 2]);
  expect(standIn.runs).toMatchObject([
    {
      cluster: "millrace-dev-cluster",
      taskDefinition: "millrace-dev-ops",
      launchType: "FARGATE",
      // Out of the VPC as live goes, to Kafka as the processor does.
      networkConfiguration: { awsvpcConfiguration: { ...networks.live, securityGroups: ["sg-processor"] } },
    },
  ]);
  expect(standIn.runs[0]!.overrides.containerOverrides).toEqual([
    {
      name: "processor",
      command: ["--topic", TOPIC, "--from", "1"],
      environment: [
        { name: "PROGRAM", value: "processor/commands/dump" },
        { name: "PIPELINE", value: "sensor" },
        { name: "LOG_GENERATION", value: "1" },
      ],
    },
  ]);
}, 120_000);

test("a command that fails there fails here, with its reason", async () => {
  const { code, stdout } = await run(dev, "dump", "--topic", "no-such-topic");
  expect([code, stdout]).toEqual([
    1,
    expect.stringContaining('arguments-invalid: topic "no-such-topic" can\'t be read'),
  ]);
}, 120_000);

test.each<[string, StandInParts, string]>([
  ["cluster", { environment: {} }, "there is no ECS cluster millrace-dev-cluster in this account and region"],
  ["service", { ...dev, services: ["millrace-dev-live"] }, "there is no ECS service millrace-dev-processor-sensor"],
  [
    "task definition",
    { ...dev, family: "x" },
    'there is no task definition millrace-dev-ops: deploy the stack "operations"',
  ],
  [
    "room for the task",
    { ...dev, refusal: "RESOURCE:CPU" },
    "ECS started no task in millrace-dev-cluster: RESOURCE:CPU",
  ],
])(
  "without a %s it says so, and starts nothing",
  async (_, parts, problem) => {
    const { code, stdout, stderr } = await run(parts, "dump", "--topic", TOPIC);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(`on-aws-failed: ${problem}`);
    expect(standIn.runs).toEqual([]);
  },
  120_000,
);

test("whoever interrupts it stops the task", async () => {
  const { child, ended } = await start({ ...dev, neverRuns: true }, "dump", "--topic", TOPIC);
  await eventually(() => expect(standIn.runs).toHaveLength(1));
  child.kill("SIGINT");
  const { code, stderr } = await ended;
  expect(code).toBe(1);
  expect(standIn.stops).toEqual(["npm run on-aws was interrupted"]);
  expect(stderr).toContain("on-aws-failed: the task was stopped: npm run on-aws was interrupted");
}, 120_000);
