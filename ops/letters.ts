import { openCluster } from "../adapters/kafka-cluster.ts";
import { createKafka, type KafkaConnection } from "../adapters/kafka.ts";
import { letterRequest, type LetterRequest } from "../domain/ops.ts";
import { sendOne, type SendOneResult } from "../processor/commands/dead-letters/send-one.ts";
import { failed, type Answer, type Post } from "./answer.ts";
import { Changes } from "./changes.ts";

/** Sends a letter in again; `key` is noted with it. */
export type SendLetter = (request: LetterRequest, key: string) => Promise<SendOneResult>;

/** Sends one letter at a time, each over a connection of its own: operators do so seldom. */
export function letterSender(connection: KafkaConnection): SendLetter {
  return async (request, key) => {
    const kafka = createKafka(connection, "millrace-ops", undefined, { retry: { retries: 1 } });
    const cluster = openCluster(kafka);
    try {
      return await sendOne(kafka, cluster, request, key);
    } finally {
      await cluster.disconnect();
    }
  };
}

/** What answers `POST /ops/dead-letters`: a dead letter is sent in again, once. */
export function letterPost(send: SendLetter): Post {
  const changes = new Changes(letterRequest, (request, key) => answerTo(send, request, key));
  return (body, key) => changes.apply(body, key);
}

async function answerTo(send: SendLetter, request: LetterRequest, key: string): Promise<Answer> {
  try {
    const result = await send(request, key);
    switch (result.kind) {
      case "sent":
        return { status: 200, body: result.record };
      case "absent":
        return failed(404, result.why);
      case "refused":
        return failed(409, result.why);
    }
  } catch (error) {
    return failed(502, `it is not certain that the letter was sent: ${(error as Error).message}; give it again`);
  }
}
