import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { SQSEvent } from "aws-lambda";
import { createLogger } from "../../../adapters/log.ts";
import { Metrics } from "../../../adapters/metrics.ts";
import { startEventBus, type EventBus } from "../../../local/events/server.ts";
import { eventually } from "../../support/eventually.ts";

let folder: string;
let bus: EventBus;
let metrics: Metrics;
let works = false;
const delivered: string[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-bus-"));
  metrics = new Metrics();
  bus = await startEventBus({
    environment: "local",
    port: 0,
    dataDir: folder,
    journalBytes: 10_000,
    onFailureDir: folder,
    region: "us-east-1",
    invoke: async (event) => {
      const { Records: records } = event as SQSEvent;
      if (!works) throw new Error("Kafka is away");
      delivered.push(...records.map(({ body }) => (JSON.parse(body) as { id: string }).id));
      return { batchItemFailures: [] };
    },
    log: createLogger("bus", "silent"),
    metrics,
    backOff: () => 10,
  });
});
afterEach(async () => {
  await bus.close();
  rmSync(folder, { recursive: true, force: true });
});

async function call(body: string, target = "AWSEvents.PutEvents"): Promise<{ status: number; answer: Answer }> {
  const response = await fetch(`http://127.0.0.1:${bus.port}/`, {
    method: "POST",
    headers: { "x-amz-target": target, "content-type": "application/x-amz-json-1.1" },
    body,
  });
  return { status: response.status, answer: (await response.json()) as Answer };
}
interface Answer {
  readonly __type?: string;
  readonly FailedEntryCount?: number;
  readonly Entries?: { readonly EventId?: string; readonly ErrorCode?: string }[];
}
const entry = { EventBusName: "millrace-local-market", Source: "s", DetailType: "Trade", Detail: "{}" };

test("what there is no room for fails alone, until what waits is delivered; health says why it waits", async () => {
  works = false;
  // Four events of 2,600 bytes and their envelopes are more than 10,000 bytes, and three are not.
  const large = { ...entry, Detail: JSON.stringify({ note: "x".repeat(2_600) }) };
  const { status, answer } = await call(JSON.stringify({ Entries: Array(5).fill(large) }));
  expect(status).toBe(200);
  expect(answer.FailedEntryCount).toBe(2);
  expect(answer.Entries!.map(({ ErrorCode }) => ErrorCode)).toEqual([
    undefined,
    undefined,
    undefined,
    "ThrottlingException",
    "ThrottlingException",
  ]);
  await eventually(() => expect(bus.problem()).toBe("3 of 3 messages failed: Kafka is away"));
  works = true;
  await eventually(() =>
    expect(delivered.slice(-3)).toEqual(answer.Entries!.slice(0, 3).map(({ EventId }) => EventId)),
  );
  const again = (): Promise<{ answer: Answer }> => call(JSON.stringify({ Entries: [large, large] }));
  await eventually(again, { until: ({ answer: second }) => second.FailedEntryCount === 0 });
  await eventually(() => expect(bus.problem()).toBeNull());
});

test("entries are counted by what became of them", async () => {
  const others = [{ EventBusName: "default" }, { EventBusName: "none" }, { DetailType: "Order" }];
  const { answer } = await call(
    JSON.stringify({
      Entries: [entry, ...others.map((change) => ({ ...entry, ...change })), { ...entry, Source: "" }],
    }),
  );
  expect(answer.FailedEntryCount).toBe(1);
  expect(metrics.snapshot()).toMatchObject({ "events.entries": 4, "events.unmatched": 3, "events.refused": 1 });
});

test.each([
  ["{", "AWSEvents.PutEvents", 400, "SerializationException"],
  ["[]", "AWSEvents.PutEvents", 400, "SerializationException"],
  ["{}", "AWSEvents.PutEvents", 400, "ValidationException"],
  ["{}", "AWSEvents.PutRule", 400, "UnknownOperationException"],
  [JSON.stringify("x".repeat(7_000_000)), "AWSEvents.PutEvents", 413, "RequestEntityTooLargeException"],
])("a request that is none is refused: %#", async (body, target, status, type) => {
  expect(await call(body, target)).toMatchObject({ status, answer: { __type: type } });
});
