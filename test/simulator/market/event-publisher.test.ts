import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { EventBridgeClient, type PutEventsRequestEntry } from "@aws-sdk/client-eventbridge";
import { afterEach, expect, test } from "@jest/globals";
import { localCredentials } from "../../../adapters/local-credentials.ts";
import { createLogger } from "../../../adapters/log.ts";
import { Metrics } from "../../../adapters/metrics.ts";
import { EventPublisher } from "../../../simulator/market/event-publisher.ts";
import type { PlannedPut } from "../../../simulator/market/faults.ts";
import { eventually } from "../../support/eventually.ts";

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const put = (id: string): PlannedPut => ({
  dueMs: 0,
  kind: "trade",
  time: 1_768_314_645_123,
  detail: { trade_id: id },
});

/** An endpoint that answers each entry with an error code, or null for an id; `answer` may be a status, too. */
async function start(
  answer: (ids: readonly string[], request: number) => readonly (string | null)[] | number | Promise<never>,
) {
  const requests: string[][] = [];
  const entries: PutEventsRequestEntry[] = [];
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    const respond = async (): Promise<void> => {
      const { Entries } = JSON.parse(body) as { Entries: PutEventsRequestEntry[] };
      entries.push(...Entries);
      const ids = Entries.map(({ Detail }) => (JSON.parse(Detail!) as { trade_id: string }).trade_id);
      requests.push(ids);
      const given = await answer(ids, requests.length);
      response.setHeader("content-type", "application/x-amz-json-1.1");
      response.statusCode = typeof given === "number" ? given : 200;
      const results =
        typeof given === "number" ? [] : given.map((ErrorCode) => (ErrorCode ? { ErrorCode } : { EventId: "e" }));
      response.end(JSON.stringify({ FailedEntryCount: 0, Entries: results }));
    };
    request.on("end", () => void respond());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const acknowledged: string[] = [];
  const metrics = new Metrics();
  const publisher = new EventPublisher({
    client: new EventBridgeClient({
      region: "us-east-1",
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      credentials: localCredentials,
      maxAttempts: 1,
    }),
    bus: "b",
    metrics,
    logger: createLogger("publisher", "silent"),
    onAcknowledged: ({ detail }) => acknowledged.push(detail["trade_id"] as string),
  });
  return { publisher, requests, entries, acknowledged, metrics };
}

test("what failed is put again with the same content until it is acknowledged; the others are not", async () => {
  const { publisher, requests, entries, acknowledged, metrics } = await start((ids, request) => {
    if (request === 1) return 500;
    return ids.map((id) => (id === "b" && request < 4 ? "ThrottlingException" : null));
  });
  for (const id of ["a", "b", "c"]) await publisher.publish(put(id));
  await publisher.close(Infinity);
  expect(requests).toEqual([["a", "b", "c"], ["a", "b", "c"], ["b"], ["b"]]);
  expect(acknowledged).toEqual(["a", "c", "b"]);
  expect(metrics.snapshot()["simulator.failed-entries"]).toBe(5);
  expect(publisher.inFlight).toBe(0);
  expect(entries.at(-1)).toEqual({
    EventBusName: "b",
    Source: "millrace.simulator",
    DetailType: "Trade",
    Detail: '{"trade_id":"b"}',
    Time: 1_768_314_645.123,
  });
});

test("what would fail again is not put again", async () => {
  const { publisher, requests, acknowledged } = await start((ids) =>
    ids.map((id) => (id === "bad" ? "MalformedDetail" : null)),
  );
  await publisher.publish(put("bad"));
  await publisher.publish(put("good"));
  await publisher.close(Infinity);
  expect(requests).toEqual([["bad", "good"]]);
  expect(acknowledged).toEqual(["good"]);
});

test("ten go together, and no more than eight requests are unanswered; a stop lets the producer go", async () => {
  const { publisher, requests } = await start(() => new Promise<never>(() => undefined));
  let published = 0;
  const producing = (async () => {
    for (; published < 200; published++) await publisher.publish(put(`${published}`));
  })();
  await eventually(() => expect(requests).toHaveLength(8));
  expect(requests.every((ids) => ids.length === 10)).toBe(true);
  await eventually(() => expect(published).toBe(89));
  expect(requests).toHaveLength(8);
  await eventually(() => {
    publisher.release();
    expect(published).toBe(200);
  });
  await producing;
  await publisher.close(1);
});
