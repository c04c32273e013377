import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { checkOfflineFeatures } from "../../lib/smoke/features.ts";
import { listen } from "../../local/aws/listen.ts";

const before = { ...process.env };
let server: Server;
/** What was invoked with what. */
let asked: [path: string, request: unknown][];
/** What the function gives, one answer after the other, the last one again. */
let answers: readonly object[];

/** Lambda's Invoke: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html */
async function invoke(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString();
  asked.push([request.url!, JSON.parse(body)]);
  const answer = answers[Math.min(asked.length, answers.length) - 1]!;
  if ("errorMessage" in answer) response.setHeader("X-Amz-Function-Error", "Unhandled");
  response.end(JSON.stringify(answer));
}

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => void invoke(request, response));
  process.env["AWS_ENDPOINT_URL"] = `http://127.0.0.1:${await listen(server, 0)}`;
});
afterEach(() => {
  process.env = { ...before };
  server.closeAllConnections();
  server.close();
});

const group = (name: string, isOffline: boolean, ...found: string[]): object => ({ group: name, found, isOffline });
const answer = (isOffline: boolean): object => ({
  groups: [
    group("millrace-dev-sensor-windows-v2", isOffline, "the newest record online is smoke-1", "none of it is offline"),
    group("millrace-dev-market-bars-v2", true),
  ],
  text: "all of it",
});
const ask = (limitMs: number): Promise<string> =>
  checkOfflineFeatures(
    {
      config: environment("dev"),
      roles: { smoke: () => Promise.resolve({ accessKeyId: "id", secretAccessKey: "secret" }) },
    },
    "smoke-1",
    Date.now(),
    { limitMs, pauseMs: 1 },
  );

test("the smoke test asks until the offline store has its sensor's features", async () => {
  answers = [answer(false), answer(false), answer(true)];
  expect(await ask(60_000)).toMatch(/^millrace-dev-sensor-windows-v2 has smoke-1 \d+ ms after the last publish$/);
  expect(asked).toHaveLength(3);
  expect(asked[0]).toEqual([
    "/2015-03-31/functions/millrace-dev-check-features/invocations",
    { identifiers: { sensorWindows: ["smoke-1"] }, reads: 1 },
  ]);
});

test("it says what was found when they are not there in time", async () => {
  answers = [answer(false)];
  await expect(ask(0)).rejects.toThrow(
    "features are missing offline within 0 ms: the newest record online is smoke-1; none of it is offline",
  );
});

test("it says what the function has thrown", async () => {
  answers = [{ errorMessage: "g: neither store has a record of the last day" }];
  await expect(ask(60_000)).rejects.toThrow(/^check-features: .*neither store has a record/);
  expect(asked).toHaveLength(1);
});
