import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { listen } from "../../local/aws/listen.ts";
import { root } from "./synthesised.ts";

/** What the stacks put out: where the API is, and the roles of the smoke test. */
const outputs = (endpoint: string): Readonly<Record<string, string>> => ({
  RestUrl: `${endpoint}/rest`,
  WebSocketUrl: "ws://127.0.0.1:1",
  IotEndpoint: "iot.example.com",
  UserPoolId: "us-east-1_AbCdEfGhI",
  SignInClientId: "1example23456789",
  Arnanalyst: "arn:aws:iam::123456789012:role/analyst",
  Arnoncall: "arn:aws:iam::123456789012:role/on-call",
  Arnsmoke: "arn:aws:iam::123456789012:role/smoke",
});
/** Services that were called, each with the role that called. */
const asked = new Set<string>();
let server: Server;
let endpoint: string;

/**
 * An account in which the environment's API is healthy and its user pool has users, and that lets the roles do nothing
 * else. https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
 */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString();
  if (request.url === "/rest/health") return void response.end('{"status":"ok"}');
  const [, key, , , service] = /Credential=([^/]+)\/(\d+)\/([^/]+)\/([^/]+)\//.exec(request.headers.authorization!)!;
  asked.add(`${service} by ${key}`);
  const action = new URLSearchParams(body).get("Action");
  if (action === "DescribeStacks") {
    const members = Object.entries(outputs(endpoint)).map(
      ([name, value]) => `<member><OutputKey>${name}</OutputKey><OutputValue>${value}</OutputValue></member>`,
    );
    const stack = `<member><StackName>s</StackName><Outputs>${members.join("")}</Outputs></member>`;
    return void response.end(xml(action, `<Stacks>${stack}</Stacks>`));
  }
  if (action === "AssumeRole") {
    const role = new URLSearchParams(body).get("RoleArn")!.split("/").at(-1)!;
    const credentials = Object.entries({
      AccessKeyId: role,
      SecretAccessKey: "secret",
      SessionToken: "token",
      Expiration: new Date(Date.now() + 3_600_000).toISOString(),
    }).map(([name, value]) => `<${name}>${value}</${name}>`);
    return void response.end(xml(action, `<Credentials>${credentials.join("")}</Credentials>`));
  }
  const target = String(request.headers["x-amz-target"]);
  response.setHeader("content-type", "application/x-amz-json-1.1");
  if (target.startsWith("AWSCognito"))
    return void response.end(JSON.stringify({ AuthenticationResult: { AccessToken: "a.b.c" } }));
  response.writeHead(403, { "x-amzn-errortype": "AccessDeniedException" });
  response.end(JSON.stringify({ __type: "AccessDeniedException", message: `${service} is denied` }));
}

const xml = (action: string, result: string): string =>
  `<${action}Response><${action}Result>${result}</${action}Result></${action}Response>`;

beforeAll(async () => {
  server = createServer((request, response) => void answer(request, response));
  endpoint = `http://127.0.0.1:${await listen(server, 0)}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test("the command takes its roles, ends with a table, and with 1 where a check fails", async () => {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(root, "bin/smoke.ts"), "--env", "dev"],
    {
      cwd: root,
      env: {
        PATH: process.env["PATH"],
        AWS_ENDPOINT_URL: endpoint,
        AWS_ACCESS_KEY_ID: "caller",
        AWS_SECRET_ACCESS_KEY: "secret",
      },
    },
  );
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  expect([code, stderr]).toEqual([1, ""]);
  const table = stdout.slice(stdout.indexOf("\n\n") + 2).trimEnd();
  expect(table.split("\n").map((line) => line.replaceAll(/ {2,}/g, " | "))).toEqual([
    "holds | REST /health | ok",
    "FAILED | a device provisions itself | dynamodb is denied",
    "FAILED | a model's promotion by on-aws | ecs is denied",
    "not tried | MQTT publish → WebSocket | no device has provisioned itself",
    "not tried | session over REST | no readings were published",
    "not tried | feature store online | no readings were published",
    "FAILED | PutEvents → position over REST | events is denied",
    "FAILED | Kafka transactions | lambda is denied",
    "not tried | the lake, by Athena | no readings were published",
    "not tried | feature store offline | no readings were published",
    "FAILED | the device is taken away | iot is denied",
  ]);
  expect([...asked].toSorted()).toEqual([
    "cloudformation by caller",
    "cognito-idp by smoke",
    "dynamodb by smoke",
    "ecs by on-call",
    "events by smoke",
    "iot by smoke",
    "lambda by smoke",
    "sts by caller",
  ]);
}, 120_000);
