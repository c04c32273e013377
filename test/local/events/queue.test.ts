import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { SQSEvent } from "aws-lambda";
import { createLogger } from "../../../adapters/log.ts";
import { Metrics } from "../../../adapters/metrics.ts";
import { tradeQueue } from "../../../domain/event-source-mappings.ts";
import { failedIds, fittingMessages, newMessage, QUEUE_NAME, sqsRecord } from "../../../local/events/messages.ts";
import { backOff, EventQueue, failureFile, type EventQueueOptions } from "../../../local/events/queue.ts";
import { eventually } from "../../support/eventually.ts";

let folder: string;
let queues: EventQueue[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-queue-"));
});
afterEach(async () => {
  await Promise.all(queues.map((queue) => queue.close()));
  queues = [];
  rmSync(folder, { recursive: true, force: true });
});

/** Delivers to `take`, which returns the bodies that fail. */
async function open(
  take: (bodies: readonly string[], event: SQSEvent) => readonly string[],
  options: Partial<EventQueueOptions> = {},
): Promise<{ queue: EventQueue; metrics: Metrics }> {
  const metrics = new Metrics();
  const queue = await EventQueue.open({
    dataDir: join(folder, "data"),
    journalBytes: 1_000_000,
    onFailureDir: join(folder, "failures"),
    region: "us-east-1",
    invoke: async (event) => {
      const { Records: records } = event as SQSEvent;
      const failing = new Set(
        take(
          records.map(({ body }) => body),
          event as SQSEvent,
        ),
      );
      const failed = records.filter(({ body }) => failing.has(body));
      return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
    },
    log: createLogger("queue", "silent"),
    metrics,
    backOff: () => 1,
    ...options,
  });
  queues.push(queue);
  return { queue, metrics };
}
const put = (queue: EventQueue, ...bodies: string[]): Promise<number> =>
  queue.put(
    bodies.map((body) => ({ body, traceHeader: undefined })),
    Date.now(),
  );

describe("the queue", () => {
  test("delivers what failed again, alone, until it succeeds, and then keeps nothing", async () => {
    const deliveries: (readonly string[])[] = [];
    const { queue, metrics } = await open((bodies) => {
      deliveries.push(bodies);
      return deliveries.length < 3 ? ["b"] : [];
    });
    expect(await put(queue, "a", "b", "c")).toBe(3);
    await eventually(() => expect(deliveries).toEqual([["a", "b", "c"], ["b"], ["b"]]));
    await eventually(() => expect(metrics.snapshot()["events.waiting-bytes"]).toBe(0));
    expect(metrics.snapshot()).toMatchObject({ "events.delivered": 3, "events.retries": 2 });
    expect(queue.problem()).toBeNull();
  });

  test("has on the disk what it has acknowledged, until it is done", async () => {
    let works = false;
    const { queue } = await open((bodies) => (works ? [] : bodies));
    const onDisk = (): string => {
      const directory = join(folder, "data", QUEUE_NAME);
      return readdirSync(directory)
        .map((file) => readFileSync(join(directory, file), "utf8"))
        .join("");
    };
    for (const body of ["first", "second", "third"]) {
      await put(queue, body);
      expect(onDisk()).toContain(body);
    }
    await eventually(() => expect(queue.problem()).not.toBeNull());
    expect(onDisk()).toContain("first");
    works = true;
    await eventually(() => expect(onDisk()).toBe(""));
  });

  test("counts deliveries, and gives up after the last one", async () => {
    const counts: string[] = [];
    const { queue, metrics } = await open((bodies, { Records: [first] }) => {
      if (bodies.includes("bad")) counts.push(first!.attributes.ApproximateReceiveCount);
      return ["bad"];
    });
    await put(queue, "bad");
    await eventually(() => expect(metrics.snapshot()["events.discarded"]).toBe(1));
    expect(counts.map(Number)).toEqual(Array.from({ length: tradeQueue.maxReceiveCount }, (_, i) => i + 1));
    const [line, ...others] = readFileSync(failureFile(join(folder, "failures")), "utf8")
      .trim()
      .split("\n");
    expect(others).toEqual([]);
    expect(JSON.parse(line!)).toMatchObject({ body: "bad", eventSource: "aws:sqs" });
    await put(queue, "good");
    await eventually(() => expect(metrics.snapshot()["events.delivered"]).toBe(1));
  });

  test("takes no more than it may hold, and takes more when it has delivered", async () => {
    let works = false;
    const { queue } = await open((bodies) => (works ? [] : bodies), { journalBytes: 3_000 });
    // The frame of an event has some more bytes.
    const large = (n: number): string => `${n}`.padEnd(1_200);
    expect(await put(queue, large(1), large(2), large(3))).toBe(2);
    expect(await put(queue, large(4))).toBe(0);
    expect(await put(queue, "small")).toBe(1);
    await eventually(() => expect(queue.problem()).toMatch(/messages failed/));
    works = true;
    await eventually(() => put(queue, large(5)), { until: (stored) => stored === 1 });
  });

  test("reads no further while a batch of messages waits for its next delivery", async () => {
    const seen = new Set<string>();
    const { queue, metrics } = await open(
      (bodies) => {
        for (const body of bodies) seen.add(body);
        return bodies;
      },
      { journalBytes: 10_000_000, backOff: () => 3_600_000 },
    );
    const bodies = Array.from({ length: 3 * tradeQueue.batchSize }, (_, i) => `m${i}`);
    await put(queue, ...bodies);
    await eventually(() => expect(seen.size).toBe(tradeQueue.batchSize));
    await put(queue, "one more");
    await eventually(() => expect(metrics.snapshot()["events.waiting-bytes"]).toBeGreaterThan(0));
    expect(seen.size).toBe(tradeQueue.batchSize);
  });

  test("delivers after a restart what was acknowledged and not done, with its trace", async () => {
    const { queue } = await open((bodies) => bodies, { backOff: () => 3_600_000 });
    await queue.put([{ body: '{\n"a":1}', traceHeader: "Root=1" }], 1_768_314_645_123);
    await eventually(() => expect(queue.problem()).not.toBeNull());
    // As after kill -9: the first queue delivers no more before an hour has passed.
    const events: SQSEvent[] = [];
    await open((_, event) => {
      events.push(event);
      return [];
    });
    await eventually(() => expect(events).toHaveLength(1));
    expect(events[0]!.Records[0]).toMatchObject({
      body: '{\n"a":1}',
      attributes: { AWSTraceHeader: "Root=1", SentTimestamp: "1768314645123", ApproximateReceiveCount: "1" },
    });
  });

  test("treats a report of a message that was not delivered as a failure of all", () => {
    const messages = ["a", "b"].map((body) => newMessage(body, undefined, 1));
    const [first] = messages;
    const report = (...ids: unknown[]) => ({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) });
    expect(failedIds(report(first!.messageId), messages)).toEqual(new Set([first!.messageId]));
    for (const nothing of [undefined, null, {}, report()]) expect(failedIds(nothing, messages)).toEqual(new Set());
    for (const wrong of [
      report("x"),
      report(""),
      report(null),
      { batchItemFailures: [null] },
      { batchItemFailures: 1 },
    ])
      expect(failedIds(wrong, messages)).toBeNull();
  });
});

test("a batch stays within its size and 6 MB, with a message's quotes escaped", () => {
  const messages = (count: number, body: string) => Array.from({ length: count }, () => newMessage(body, undefined, 1));
  expect(fittingMessages(messages(1_500, "{}"))).toBe(1_000);
  // A million quotes are two million bytes in the event; 6 MB are 6,291,456.
  expect(fittingMessages(messages(9, '"'.repeat(1_000_000)))).toBe(3);
  expect(fittingMessages(messages(2, "x".repeat(7_000_000)))).toBe(1);
});

test("a message has the shape that Lambda's documentation shows for Amazon SQS", () => {
  const message = { ...newMessage("Test message.", undefined, 1_545_082_649_183), receives: 1 };
  // Body and md5OfBody are those of the documentation's example.
  expect(sqsRecord(message, "us-east-2")).toEqual({
    messageId: message.messageId,
    receiptHandle: expect.any(String),
    body: "Test message.",
    attributes: {
      ApproximateReceiveCount: "1",
      SentTimestamp: "1545082649183",
      SenderId: "AIDAIENQZJOLO23YVJ4VO",
      ApproximateFirstReceiveTimestamp: "1545082649183",
    },
    messageAttributes: {},
    md5OfBody: "e4e68fb7bd0e697a0ae8f1bb342846b3",
    eventSource: "aws:sqs",
    eventSourceARN: "arn:aws:sqs:us-east-1:000000000000:millrace-local-trades",
    awsRegion: "us-east-2",
  });
});

test("delays double up to half a minute", () => {
  expect([1, 2, 3, 8, 9, 100].map(backOff)).toEqual([200, 400, 800, 25_600, 30_000, 30_000]);
});
