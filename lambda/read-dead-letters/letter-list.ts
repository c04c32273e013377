import type { Filter } from "mongodb";
import type { z } from "zod";
import type { DeadLetter, ListedDeadLetter, queries } from "../../domain/api.ts";
import { deadLetterAdvice } from "../../domain/dead-letters.ts";
import { afterPosition, decodeCursor } from "../shared/cursor.ts";
import { PAYLOAD_BYTES, type DeadLetterDocument } from "../shared/letter-documents.ts";

export type LetterQuery = z.infer<typeof queries.deadLetters>;

/** What a cursor of the list of dead letters is bound to. */
export function letterListIdentity({ sensorId, code, from, to }: LetterQuery): unknown {
  return ["dead-letters", sensorId, code, from, to];
}

/** MongoDB filter of a list of dead letters, which is sorted by when they were written. */
export function letterFilter(query: LetterQuery): Filter<DeadLetterDocument> {
  const { sensorId, code, from, to, cursor } = query;
  return {
    ...(sensorId === undefined ? {} : { sensorId }),
    ...(code === undefined ? {} : { code }),
    ...(from === undefined && to === undefined
      ? {}
      : { at: { ...(from === undefined ? {} : { $gte: from }), ...(to === undefined ? {} : { $lt: to }) } }),
    ...(cursor === undefined ? {} : afterPosition("at", decodeCursor(cursor, letterListIdentity(query)))),
  } as Filter<DeadLetterDocument>;
}

/** A dead letter in the form of the list. */
export function toListed(document: Omit<DeadLetterDocument, "payload" | "expireAt">): ListedDeadLetter {
  const { _id: id, at, code, message, stage, sensorId, symbol, source, mqttTopic, partition, offset } = document;
  return {
    id,
    at,
    code,
    message,
    stage,
    sensorId,
    symbol,
    source,
    mqttTopic,
    log: { partition, offset },
    bytes: document.bytes,
    contentType: document.contentType,
    traceparent: document.traceparent,
    advice: (deadLetterAdvice as Readonly<Record<string, string>>)[code] ?? null,
  };
}

/** A dead letter with its payload. */
export function toLetter(document: DeadLetterDocument): DeadLetter {
  const { bytes, payload } = document;
  return { ...toListed(document), payload, isCut: bytes !== null && bytes > PAYLOAD_BYTES };
}
