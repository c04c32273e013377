import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { buildArguments } from "../../lib/images.ts";
import { eventually } from "../support/eventually.ts";
import { resourcesOf, root, synthesised, type Resource, type Synthesised } from "./synthesised.ts";
import { containerOf, freePort, prepareServers, variablesHere } from "./template-environment.ts";

const LIMIT_MS = 300_000;

/** Bytes of a bundle's `index.mjs`, by the key of its asset. */
function bundleOf(platform: Synthesised, stack: string, resource: Resource): string {
  const key = (resource.Properties["Code"] as { S3Key: string }).S3Key.replace(".zip", "");
  const { files } = JSON.parse(readFileSync(join(platform.folder, `${stack}.assets.json`), "utf8")) as {
    files: Record<string, { source: { path: string } }>;
  };
  const path = files[key]?.source.path;
  if (path === undefined) throw new Error(`${stack} has no asset ${key}`);
  return join(platform.folder, path, "index.mjs");
}

const rest = (path: string, method = "GET"): Record<string, unknown> => ({
  resource: path,
  path,
  httpMethod: method,
  headers: {},
  multiValueHeaders: {},
  queryStringParameters: null,
  multiValueQueryStringParameters: null,
  pathParameters: null,
  stageVariables: null,
  body: null,
  isBase64Encoded: false,
  requestContext: { stage: "v1", requestId: "r", path: `/v1${path}`, authorizer: { principalId: "tester" } },
});
const socket = (routeKey: string): Record<string, unknown> => ({
  requestContext: {
    routeKey,
    connectionId: "entry-point-test",
    eventType: routeKey === "$connect" ? "CONNECT" : "MESSAGE",
    stage: "v1",
    requestId: "r",
    connectedAt: 0,
  },
  headers: {},
  multiValueHeaders: {},
  isBase64Encoded: false,
  ...(routeKey === "subscribe" ? { body: '{"action":"subscribe","sensorId":"s1"}' } : {}),
});
/** An EventBridge event, as the queue of trades gives it to the function. */
const trade = {
  id: "e-1",
  "detail-type": "Trade",
  source: "test",
  time: "2026-01-13T14:30:45Z",
  detail: { symbol: "AAPL", price: 150.25, quantity: 40 },
};
const queueEvent = {
  Records: [{ messageId: "m-1", body: JSON.stringify(trade), attributes: { SentTimestamp: "1768314645000" } }],
};
const kafkaEvent = { eventSource: "aws:kafka", eventSourceArn: "arn", bootstrapServers: "b", records: {} };

/** An event for each function, and what shows that the function ran. */
const asked: Readonly<
  Record<string, { readonly event: unknown; readonly shows: (result: { answer?: unknown; error?: string }) => void }>
> = {
  "read-root": {
    event: rest("/"),
    shows: ({ answer }) =>
      expect(answer).toMatchObject({ statusCode: 200, body: expect.stringContaining('"environment":"dev"') }),
  },
  "read-health": {
    event: rest("/health"),
    shows: ({ answer }) => expect([200, 503]).toContain((answer as { statusCode: number }).statusCode),
  },
  "read-sessions": {
    event: rest("/sessions"),
    shows: ({ answer }) => expect(answer).toMatchObject({ statusCode: 200 }),
  },
  "read-sensors": { event: rest("/sensors"), shows: ({ answer }) => expect(answer).toMatchObject({ statusCode: 200 }) },
  "read-dead-letters": {
    event: rest("/dead-letters"),
    shows: ({ answer }) => expect(answer).toMatchObject({ statusCode: 200 }),
  },
  "store-dead-letters": {
    event: kafkaEvent,
    shows: ({ answer }) => expect(answer).toMatchObject({ batchItemFailures: [] }),
  },
  "read-market": { event: rest("/symbols"), shows: ({ answer }) => expect(answer).toMatchObject({ statusCode: 200 }) },
  "store-market": {
    event: kafkaEvent,
    shows: ({ answer }) => expect(answer).toMatchObject({ batchItemFailures: [] }),
  },
  "read-openapi": {
    event: rest("/openapi.json"),
    shows: ({ answer }) => expect(answer).toMatchObject({ statusCode: 200 }),
  },
  connect: { event: socket("$connect"), shows: ({ answer }) => expect(answer).toMatchObject({ statusCode: 200 }) },
  subscribe: {
    event: socket("subscribe"),
    shows: ({ answer }) =>
      expect(answer).toMatchObject({ statusCode: 200, body: expect.stringContaining("subscribed") }),
  },
  disconnect: {
    event: socket("$disconnect"),
    shows: ({ answer }) => expect(answer).toMatchObject({ statusCode: 200 }),
  },
  "store-sessions": {
    event: kafkaEvent,
    shows: ({ answer }) => expect(answer).toMatchObject({ batchItemFailures: [] }),
  },
  "store-windows": {
    event: kafkaEvent,
    shows: ({ answer }) => expect(answer).toMatchObject({ batchItemFailures: [] }),
  },
  "write-lake": { event: kafkaEvent, shows: ({ answer }) => expect(answer).toMatchObject({ batchItemFailures: [] }) },
  "write-features": {
    event: kafkaEvent,
    shows: ({ answer }) => expect(answer).toMatchObject({ batchItemFailures: [] }),
  },
  "audit-output": { event: kafkaEvent, shows: ({ answer }) => expect(answer).toMatchObject({ batchItemFailures: [] }) },
  "produce-trades": {
    event: queueEvent,
    shows: ({ answer }) => expect(answer).toEqual({ batchItemFailures: [] }),
  },
  "issue-ticket": {
    event: rest("/tickets", "POST"),
    shows: ({ answer }) =>
      expect(answer).toMatchObject({ statusCode: 201, body: expect.stringMatching(/"ticket":"[A-Za-z0-9_-]{43}"/) }),
  },
  "authorize-request": {
    event: { type: "TOKEN", methodArn: "arn:aws:execute-api:us-east-1:123456789012:a/v1/GET/sensors" },
    shows: ({ error }) => expect(error).toMatch(/Unauthorized/),
  },
  // It looks for the ticket in the table, and finds none.
  "authorize-connection": {
    event: {
      type: "REQUEST",
      methodArn: "arn:aws:execute-api:us-east-1:123456789012:a/v1/$connect",
      queryStringParameters: { ticket: "A".repeat(43) },
    },
    shows: ({ error }) => expect(error).toMatch(/Unauthorized/),
  },
  "admit-device": {
    event: { parameters: { SerialNumber: "unregistered" } },
    shows: ({ answer }) => expect(answer).toEqual({ allowProvisioning: false }),
  },
  "create-topics": {
    event: { RequestType: "Delete", ResourceProperties: {} },
    shows: ({ answer }) => expect(answer).toEqual({ PhysicalResourceId: "millrace-dev-topics" }),
  },
  "consume-test": {
    event: { nonce: "nobody's" },
    shows: ({ answer }) => expect(answer).toMatchObject({ values: [], complete: true }),
  },
  "produce-test": {
    event: { nonce: "entry-point" },
    shows: ({ answer }) => expect(answer).toMatchObject({ commits: true, aborts: true, fences: true }),
  },
  "read-log": {
    event: rest("/ops/topics"),
    shows: ({ answer }) =>
      expect(answer).toMatchObject({ statusCode: 200, body: expect.stringContaining('"name":"imu-data-all"') }),
  },
  "read-models": {
    event: rest("/ops/models"),
    shows: ({ answer }) =>
      expect(answer).toMatchObject({ statusCode: 200, body: expect.stringContaining('"models":[]') }),
  },
  // Nobody listens where its services are.
  "read-components": {
    event: rest("/ops/components"),
    shows: ({ answer }) =>
      expect(answer).toMatchObject({ statusCode: 502, body: expect.stringContaining("can't be read") }),
  },
  "send-letter": {
    event: {
      ...rest("/ops/dead-letters", "POST"),
      headers: { "content-type": "application/json", "idempotency-key": "entry-point" },
      body: '{"action":"send-again","id":"imu-data-all/0/1/0","log":{"partition":0,"offset":999999}}',
      requestContext: { requestId: "r", identity: { userArn: "tester" } },
    },
    shows: ({ answer }) =>
      expect(answer).toMatchObject({ statusCode: 404, body: expect.stringContaining("no dead-letter/0/999999") }),
  },
  "start-command": {
    event: {
      ...rest("/ops/models", "POST"),
      headers: { "Content-Type": "application/json", "Idempotency-Key": "entry-point" },
      body: '{"action":"live","name":"activity","version":"9.9.9"}',
      requestContext: { requestId: "r", identity: { userArn: "tester" } },
    },
    shows: ({ answer }) =>
      expect(answer).toMatchObject({ statusCode: 409, body: expect.stringContaining("no model activity 9.9.9") }),
  },
  // Nobody listens at the address of its feature store.
  "check-features": { event: {}, shows: ({ error }) => expect(error).toMatch(/ECONNREFUSED|connect/i) },
};

describe("under the environment of dev's templates", () => {
  let platform: Synthesised;
  /** Dev has no API of operators; its functions are those of dev with one. */
  let withOperators: Synthesised;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    platform = await synthesised("dev");
    withOperators = await synthesised("operators-dev");
    await prepareServers();
  }, LIMIT_MS);
  afterAll(() => {
    for (const child of children) child.kill("SIGKILL");
  });

  test(
    "every function's bundle starts and answers",
    () => {
      const own = resourcesOf(platform, "AWS::Lambda::Function").filter(({ id }) => id.startsWith("Function"));
      const added = resourcesOf(withOperators, "AWS::Lambda::Function").filter(({ stack }) => stack === "operators");
      const functions = [
        ...own.map((found) => ({ ...found, from: platform })),
        ...added.map((found) => ({ ...found, from: withOperators })),
      ];
      const names = functions.map(({ resource }) =>
        String(resource.Properties["FunctionName"]).replace("millrace-dev-", ""),
      );
      expect(names.toSorted()).toEqual(Object.keys(asked).toSorted());
      for (const [index, { stack, resource, from }] of functions.entries()) {
        const { event, shows } = asked[names[index] ?? ""] ?? { event: {}, shows: () => undefined };
        const variables =
          (resource.Properties["Environment"] as { Variables: Record<string, unknown> } | undefined)?.Variables ?? {};
        const run = spawnSync(
          process.execPath,
          [join(root, "test/cdk/invoke.mjs"), bundleOf(from, stack, resource), JSON.stringify(event)],
          {
            // An empty store of models, for those who have one.
            env: {
              ...variablesHere(from, variables),
              ...(stack === "operators"
                ? {
                    MODEL_SOURCE: join(root, ".millrace", "no-models"),
                    AWS_ENDPOINT_URL: "http://127.0.0.1:9",
                    AWS_MAX_ATTEMPTS: "1",
                  }
                : {}),
            },
            encoding: "utf8",
            stdio: ["ignore", "pipe", "pipe", "pipe"],
            timeout: 60_000,
          },
        );
        const result = run.output[3] ?? "";
        if (result === "") throw new Error(`${names[index]} did not answer:\n${run.stderr}`);
        try {
          shows(JSON.parse(result) as { answer?: unknown; error?: string });
        } catch (error) {
          throw new Error(`${names[index]} answered ${result}\n${run.stderr.slice(-2_000)}`, { cause: error });
        }
      }
    },
    LIMIT_MS,
  );

  test.each(["bridge-0", "processor-sensor", "processor-market", "live"])(
    "%s starts from its image's entry point and is healthy",
    async (name) => {
      const container = containerOf(platform, name);
      const [shell = "", ...commands] = JSON.parse(
        /^ENTRYPOINT (.+)$/m.exec(readFileSync(join(root, "Dockerfile"), "utf8"))?.[1] ?? "[]",
      ) as string[];
      const { PROGRAM, NODE_ARGUMENTS } = buildArguments(container.Name);
      const port = await freePort();
      const variables = Object.fromEntries(container.Environment.map(({ Name, Value }) => [Name, Value]));
      const env = {
        ...variablesHere(platform, variables),
        PROGRAM,
        NODE_ARGUMENTS,
        HEALTH_PORT: String(port),
        // The shell looks for `node` on the path: this test's own Node.
        PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
      };
      const child = spawn(shell, commands, {
        cwd: root,
        env,
        stdio: ["ignore", "ignore", "pipe"],
      });
      children.push(child);
      let output = "";
      child.stderr?.on("data", (data: Buffer) => (output += data.toString()));
      await eventually(async () => {
        if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}:\n${output.slice(-3_000)}`);
        const answer = await fetch(`http://127.0.0.1:${port}/health`);
        expect(answer.status).toBe(200);
      });
      const ended = new Promise<number | null>((done) => child.once("exit", (code) => done(code)));
      child.kill("SIGTERM");
      expect(await ended).toBe(0);
    },
    LIMIT_MS,
  );
});
