import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { APIGatewayProxyResult } from "aws-lambda";
import { parseModelArguments } from "../../processor/commands/model/arguments.ts";
import { EcsStandIn } from "../cdk/ecs-standin.ts";
import { sharedServers } from "../support/servers.ts";
import { restEvent } from "./events.ts";
import { startFunction, type FunctionProcess } from "./function-process.ts";

const standIn = new EcsStandIn({ cluster: "millrace-dev-cluster", family: "millrace-dev-ops", environment: {} });
let store: string;
let functions: Record<"read-models" | "start-command", FunctionProcess>;

beforeAll(async () => {
  store = await mkdtemp(join(tmpdir(), "millrace-models-"));
  await cp(join(import.meta.dirname, "../../models/activity"), join(store, "activity", "1.0.0"), { recursive: true });
  const env = {
    MODEL_SOURCE: store,
    KAFKA_BROKERS: sharedServers().kafkaBrokers,
    AWS_REGION: "us-east-1",
    AWS_ENDPOINT_URL: await standIn.listen(),
    AWS_ACCESS_KEY_ID: "id",
    AWS_SECRET_ACCESS_KEY: "secret",
    ECS_CLUSTER: "millrace-dev-cluster",
    OPS_FAMILY: "millrace-dev-ops",
    OPS_SUBNETS: "subnet-a,subnet-b",
    OPS_SECURITY_GROUP: "sg-processor",
  };
  functions = {
    "read-models": startFunction("read-models", env),
    "start-command": startFunction("start-command", env),
  };
}, 60_000);
afterAll(async () => {
  for (const each of Object.values(functions)) await each.stop();
  await standIn.close();
  await rm(store, { recursive: true });
});

async function post(body: object, key = "key-00001"): Promise<{ readonly status: number; readonly body: never }> {
  const event = { ...restEvent("/ops/models", { method: "POST" }), body: JSON.stringify(body) };
  event.headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  const answer = await functions["start-command"].invoke<APIGatewayProxyResult>(event);
  return { status: answer.statusCode, body: JSON.parse(answer.body) as never };
}

test("the models of the store are answered as npm start answers them", async () => {
  const { statusCode, body } = await functions["read-models"].invoke<APIGatewayProxyResult>(restEvent("/ops/models"));
  expect(statusCode).toBe(200);
  expect(JSON.parse(body)).toEqual({
    models: [{ name: "activity", version: "1.0.0", stage: expect.any(String), sha256: expect.any(String) }],
    previous: {},
    agreement: [],
  });
});

test("a promotion is a command of the operators' task, asked of ECS once for a key", async () => {
  const promote = { action: "shadow", name: "activity", version: "1.0.0" };
  const first = await post(promote);
  expect(first).toEqual({
    status: 200,
    body: {
      lines: [
        expect.stringContaining("npm run model -- promote activity 1.0.0 --stage shadow begins in a minute"),
        "its log stream is ops/processor/0123456789abcde1",
      ],
    },
  });
  expect(await post(promote)).toEqual(first);
  expect(standIn.runs).toHaveLength(1);
  const [override] = standIn.runs[0]!.overrides.containerOverrides;
  expect(parseModelArguments(override!.command).command).toEqual({
    name: "promote",
    model: "activity",
    version: "1.0.0",
    stage: "shadow",
    share: undefined,
  });
});

test("what can't be done is refused before a task is started", async () => {
  const before = standIn.runs.length;
  expect((await post({ action: "live", name: "activity", version: "9.9.9" }, "key-00002")).status).toBe(409);
  expect((await post({ action: "rollback", name: "activity", version: "1.0.0" }, "key-00003")).status).toBe(409);
  expect((await post({ action: "sell", name: "activity", version: "1.0.0" }, "key-00004")).status).toBe(400);
  expect((await post({ action: "live", name: "activity", version: "1.0.0" }, "short")).status).toBe(400);
  expect(standIn.runs).toHaveLength(before);
});
