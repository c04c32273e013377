import { expect, test } from "@jest/globals";
import { KafkaJSProtocolError, type Kafka } from "kafkajs";
import { readTopic } from "../../adapters/read-topic.ts";

/** A Kafka whose admin clients answer so, one after the other, when they are asked for a topic's offsets. */
function kafkaThat(...answers: (Error | [])[]): { kafka: Kafka; disconnected: () => number } {
  let disconnected = 0;
  const admin = (): unknown => ({
    connect: () => Promise.resolve(),
    fetchTopicOffsets: () => {
      const answer = answers.shift() ?? new Error("asked too often");
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    disconnect: () => Promise.resolve(void disconnected++),
  });
  return { kafka: { admin } as unknown as Kafka, disconnected: () => disconnected };
}

// Codes of Kafka's protocol: https://kafka.apache.org/protocol#protocol_error_codes
const protocolError = (type: string, code: number): Error =>
  new KafkaJSProtocolError({ name: "KafkaJSProtocolError", message: type, type, code, retriable: true } as never);

test("a topic whose partition gets another leader is asked again, by a new connection", async () => {
  const moves = kafkaThat(protocolError("LEADER_NOT_AVAILABLE", 5), protocolError("NOT_LEADER_FOR_PARTITION", 6), []);
  expect(await readTopic(moves.kafka, "topic", { groupId: "test" })).toEqual({ records: [], complete: true });
  expect(moves.disconnected()).toBe(3);
});

test("any other error is told at once", async () => {
  const denied = kafkaThat(protocolError("TOPIC_AUTHORIZATION_FAILED", 29), []);
  await expect(readTopic(denied.kafka, "topic", { groupId: "test" })).rejects.toThrow("TOPIC_AUTHORIZATION_FAILED");
  expect(denied.disconnected()).toBe(1);
});
