/**
 * Kafka's answers that are about a record and would be the same for ever (org.apache.kafka.common.protocol.Errors).
 * Anything else may pass: a topic is created, an access right is granted, a leader is elected.
 */
export const refusals: ReadonlySet<string> = new Set([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_TIMESTAMP",
  "INVALID_RECORD",
]);

/** The refusal among an error and its causes; undefined when there is none. kafkajs wraps what the broker answers. */
export function refusalIn(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  if (refusals.has((error as { type?: string }).type ?? "")) return error;
  return [error.cause, ...((error as Partial<AggregateError>).errors ?? [])].map(refusalIn).find(Boolean);
}
