import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import "../../adapters/kafka.ts";

/** What a queue does with its connection and its log. */
const surroundings = {
  maxInFlightRequests: 1,
  requestTimeout: 30_000,
  enforceRequestTimeout: false,
  clientId: "test",
  broker: "127.0.0.1:9092",
  logger: { debug: () => undefined },
};

beforeEach(() => {
  jest.useFakeTimers({ now: 1_000 });
});
afterEach(() => {
  jest.useRealTimers();
});

test("a connection of kafkajs with nothing to send sets no timer", () => {
  const queue = new RequestQueue(surroundings);
  queue.scheduleCheckPendingRequests();
  expect(jest.getTimerCount()).toBe(0);
});

test("a request that waits is looked at again", () => {
  const queue = new RequestQueue(surroundings);
  Object.assign(queue, { pending: [{}], inflight: new Map([[1, {}]]) });
  queue.scheduleCheckPendingRequests();
  expect(jest.getTimerCount()).toBe(1);
});

test("a throttled connection is looked at again when the throttle ends", () => {
  const queue = new RequestQueue(surroundings);
  Object.assign(queue, { throttledUntil: 1_500 });
  queue.scheduleCheckPendingRequests();
  expect(jest.getTimerCount()).toBe(1);
  jest.advanceTimersByTime(500);
  expect(jest.getTimerCount()).toBe(0);
});
