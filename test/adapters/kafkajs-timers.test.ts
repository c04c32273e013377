import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import "../../adapters/kafka.ts";

/** Options of a request queue, which is otherwise made by a connection. */
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

test("a waiting request is checked again", () => {
  const queue = new RequestQueue(surroundings);
  Object.assign(queue, { pending: [{}], inflight: new Map([[1, {}]]) });
  queue.scheduleCheckPendingRequests();
  expect(jest.getTimerCount()).toBe(1);
});

test("a throttled connection is checked again when the throttle ends", () => {
  const queue = new RequestQueue(surroundings);
  Object.assign(queue, { throttledUntil: 1_500 });
  queue.scheduleCheckPendingRequests();
  expect(jest.getTimerCount()).toBe(1);
  jest.advanceTimersByTime(500);
  expect(jest.getTimerCount()).toBe(0);
});
