import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { CreateTableCommand, DynamoDBClient, ResourceInUseException } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createTopics } from "../../adapters/kafka-topics.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { dynamoAttributes, dynamoTableName } from "../../domain/names.ts";
import { topics } from "../../domain/topics.ts";
import { applyTopics } from "../../lambda/create-topics/apply.ts";
import { buildArguments, type ImageProgram } from "../../lib/images.ts";
import { eventually } from "../support/eventually.ts";
import { sharedServers } from "../support/servers.ts";
import { localAddresses, localEndpoints } from "./local-addresses.ts";
import { resourcesOf, root, synthesised, type Resource, type Synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;
/** An address where nobody listens. Entry points must start without it, and answer with an error when they need it. */
const NOBODY = "http://127.0.0.1:9";

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

/**
 * The variables of a template on this machine: texts as they are, references to a table by its name, addresses by the
 * map.
 */
function resolve(platform: Synthesised, variables: Readonly<Record<string, unknown>>): Record<string, string> {
  const servers = sharedServers();
  const endpoints = { firehose: NOBODY, features: NOBODY, websocket: NOBODY };
  const addresses = localAddresses(servers, endpoints);
  const resolved: Record<string, string> = { ...localEndpoints(servers, endpoints), PATH: process.env["PATH"] ?? "" };
  for (const [name, value] of Object.entries(variables)) {
    if (name in addresses) {
      const address = addresses[name];
      if (address !== undefined) resolved[name] = address;
      else delete resolved[name];
    } else if (typeof value === "string") resolved[name] = value;
    else resolved[name] = referenced(platform, name, value);
  }
  return resolved;
}

function referenced(platform: Synthesised, variable: string, value: unknown): string {
  const text = JSON.stringify(value);
  if (text === '{"Ref":"AWS::Region"}') return "us-east-1";
  for (const { id, resource } of resourcesOf(platform, "AWS::DynamoDB::Table"))
    if (text.includes(id)) return String(resource.Properties["TableName"]);
  throw new Error(`${variable} is ${text}: say in local-addresses.ts what it is on this machine`);
}

function freePort(): Promise<number> {
  return new Promise((done, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });
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
  // Nobody listens at the address of its feature store.
  "check-features": { event: {}, shows: ({ error }) => expect(error).toMatch(/ECONNREFUSED|connect/i) },
};

describe("under the environment of dev's templates", () => {
  let platform: Synthesised;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    platform = await synthesised("dev");
    const servers = sharedServers();
    const dynamodb = new DynamoDBClient({
      region: "us-east-1",
      endpoint: servers.dynamodbEndpoint,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    });
    for (const [table, { key }] of Object.entries(dynamoAttributes)) {
      await dynamodb
        .send(
          new CreateTableCommand({
            TableName: dynamoTableName("dev", table as keyof typeof dynamoAttributes),
            BillingMode: "PAY_PER_REQUEST",
            AttributeDefinitions: [{ AttributeName: key, AttributeType: "S" }],
            KeySchema: [{ AttributeName: key, KeyType: "HASH" }],
          }),
        )
        .catch((error: unknown) => {
          if (!(error instanceof ResourceInUseException)) throw error;
        });
    }
    const { checkTopic } = await import("../../domain/topics.ts");
    const kafka = createKafka(
      { kafkaBrokers: servers.kafkaBrokers, kafkaAuth: "none", region: "us-east-1" },
      "entry-points",
    );
    const admin = kafka.admin();
    await admin.connect();
    const specs = [...Object.values(topics), checkTopic];
    await createTopics(admin, { specs });
    // Topics that other tests made may have fewer partitions, which stay.
    await applyTopics(
      kafka,
      admin,
      specs.map((spec) => ({ ...spec, retentionMs: -1, partitions: 1 })),
    );
    await admin.disconnect();
  }, LIMIT_MS);
  afterAll(() => {
    for (const child of children) child.kill("SIGKILL");
  });

  test(
    "every function's bundle starts and answers",
    () => {
      const functions = resourcesOf(platform, "AWS::Lambda::Function").filter(({ id }) => id.startsWith("Function"));
      const names = functions.map(({ resource }) =>
        String(resource.Properties["FunctionName"]).replace("millrace-dev-", ""),
      );
      expect(names.toSorted()).toEqual(Object.keys(asked).toSorted());
      for (const [index, { stack, resource }] of functions.entries()) {
        const { event, shows } = asked[names[index] ?? ""] ?? { event: {}, shows: () => undefined };
        const variables =
          (resource.Properties["Environment"] as { Variables: Record<string, unknown> } | undefined)?.Variables ?? {};
        const run = spawnSync(
          process.execPath,
          [join(root, "test/cdk/invoke.mjs"), bundleOf(platform, stack, resource), JSON.stringify(event)],
          {
            env: resolve(platform, variables),
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
      const task = resourcesOf(platform, "AWS::ECS::TaskDefinition").find(
        ({ resource }) => resource.Properties["Family"] === `millrace-dev-${name}`,
      );
      const [container] = task!.resource.Properties["ContainerDefinitions"] as {
        Name: ImageProgram;
        Environment: { Name: string; Value: unknown }[];
      }[];
      if (!container) throw new Error(`${name} has no container`);
      const [shell = "", ...commands] = JSON.parse(
        /^ENTRYPOINT (.+)$/m.exec(readFileSync(join(root, "Dockerfile"), "utf8"))?.[1] ?? "[]",
      ) as string[];
      const { PROGRAM, NODE_ARGUMENTS } = buildArguments(container.Name);
      const port = await freePort();
      const variables = Object.fromEntries(container.Environment.map(({ Name, Value }) => [Name, Value]));
      const env = {
        ...resolve(platform, variables),
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
