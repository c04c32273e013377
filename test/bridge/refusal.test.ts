import { expect, test } from "@jest/globals";
import { refusalIn, refusals } from "../../bridge/refusal.ts";
import { kafkaFailures } from "../../processor/engine/failure-classes.ts";

const answer = (type: string): Error => Object.assign(new Error(`Kafka says ${type}`), { type });

test("a refusal is found among the causes and the parts of an error, where kafkajs hides it", () => {
  const refusal = answer("MESSAGE_TOO_LARGE");
  expect(refusalIn(refusal)).toBe(refusal);
  expect(refusalIn(new Error("retries exceeded", { cause: new Error("wrapped", { cause: refusal }) }))).toBe(refusal);
  expect(refusalIn(new AggregateError([answer("NOT_LEADER_FOR_PARTITION"), refusal]))).toBe(refusal);
});

test.each([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "TOPIC_AUTHORIZATION_FAILED",
  "NOT_LEADER_FOR_PARTITION",
  "REQUEST_TIMED_OUT",
])("%s may pass: it refuses no record", (type) =>
  expect(refusalIn(new Error("retries exceeded", { cause: answer(type) }))).toBeUndefined(),
);

test.each([undefined, null, "text", new Error("socket closed")])("%p is none", (error) =>
  expect(refusalIn(error)).toBeUndefined(),
);

test("what the bridge calls a refusal stops a task of the processor, too", () => {
  const lasting = [...kafkaFailures.values()].filter((failure) => failure.class === "partition" && !failure.afterMs);
  expect(lasting.map(({ name }) => name)).toEqual(expect.arrayContaining([...refusals]));
});
