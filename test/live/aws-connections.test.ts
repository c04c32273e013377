import { hash } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { pino } from "pino";
import { gatewayConnections } from "../../live/aws-connections.ts";
import { Frame } from "../../live/send-queue.ts";

let server: Server;
let endpoint: string;
/** The status of each answer, by the connection's id. */
const statuses: Readonly<Record<string, number>> = { open: 200, gone: 410, small: 413, busy: 429 };
const received: { readonly request: IncomingMessage; readonly body: string }[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    void text(request).then((body) => {
      received.push({ request, body });
      response.writeHead(statuses[request.url!.split("/").at(-1)!] ?? 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/prod`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => void received.splice(0));

const connections = (): ReturnType<typeof gatewayConnections> =>
  gatewayConnections(endpoint, "eu-west-1", true, () => Promise.resolve(), pino({ level: "silent" }));

// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html and
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
test("a frame is posted as it is, signed for API Gateway with its hash", async () => {
  expect(await connections().post("L0SM9cOFvHcCIhw=", new Frame('{"é":1}', []))).toBe("sent");
  const { request, body } = received[0]!;
  expect(body).toBe('{"é":1}');
  expect(request.method).toBe("POST");
  expect(request.url).toBe("/prod/@connections/L0SM9cOFvHcCIhw%3D");
  expect(request.headers["x-amz-content-sha256"]).toBe(hash("sha256", '{"é":1}'));
  const day = String(request.headers["x-amz-date"]).slice(0, 8);
  expect(request.headers.authorization).toMatch(
    new RegExp(
      `^AWS4-HMAC-SHA256 Credential=[^/]+/${day}/eu-west-1/execute-api/aws4_request, ` +
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}$",
    ),
  );
});

test.each([
  ["open", "sent"],
  ["gone", "gone"],
  ["small", "refused"],
  ["busy", "retry"],
])("what becomes of a frame for a connection that is %s: %s", async (connectionId, outcome) => {
  expect(await connections().post(connectionId, new Frame("{}", []))).toBe(outcome);
});

test("a frame is sent again where nobody answers", async () => {
  const away = gatewayConnections(
    "http://127.0.0.1:9",
    "eu-west-1",
    true,
    () => Promise.resolve(),
    pino({ level: "silent" }),
  );
  expect(await away.post("open", new Frame("{}", []))).toBe("retry");
});
