import { MillraceError } from "../../domain/errors.ts";

/**
 * What a failure means for a task, see docs/exactly-once.md:
 *
 * - `transient`: the same request is sent again inside the life.
 * - `uncertain`: nobody knows whether it took effect. Producer and state are thrown away; a new life begins at step 1.
 * - `fenced`: another owner has taken over. The task ends.
 * - `record`: our own code failed on a record, which becomes a dead letter.
 * - `partition`: it would fail again. The task stops with a named error; all others continue.
 */
export type FailureClass = "transient" | "uncertain" | "fenced" | "record" | "partition";

/** One error code of Kafka. */
export interface KafkaFailure {
  /** Name in Kafka's protocol guide. */
  readonly name: string;
  readonly class: FailureClass;
  /** The class counts when the answer is the same for so long, with fresh metadata. Before that it is transient. */
  readonly afterMs?: number;
}

/** How long an answer must stay the same that an operator or a slow broker may still change. */
export const SAME_ANSWER_MS = 60_000;

const transient = (name: string): KafkaFailure => ({ name, class: "transient" });
const uncertain = (name: string): KafkaFailure => ({ name, class: "uncertain" });
const fenced = (name: string): KafkaFailure => ({ name, class: "fenced" });
const partition = (name: string): KafkaFailure => ({ name, class: "partition" });
const lasting = (name: string): KafkaFailure => ({ name, class: "partition", afterMs: SAME_ANSWER_MS });

/**
 * Every error code that a broker can answer to the requests of a producer, a transaction, a reader or a member of a
 * group (https://kafka.apache.org/protocol.html#protocol_error_codes). An epoch error is `uncertain` instead where the
 * coordinator may have ended the transaction: `TransactionalOutput` decides that by its own clock.
 */
export const kafkaFailures: ReadonlyMap<number, KafkaFailure> = new Map([
  [-1, uncertain("UNKNOWN_SERVER_ERROR")],
  [1, transient("OFFSET_OUT_OF_RANGE")], // the reader asks for the log's bounds, which decide
  [2, lasting("CORRUPT_MESSAGE")],
  [3, lasting("UNKNOWN_TOPIC_OR_PARTITION")],
  [4, partition("INVALID_FETCH_SIZE")],
  [5, transient("LEADER_NOT_AVAILABLE")],
  [6, transient("NOT_LEADER_OR_FOLLOWER")],
  [7, transient("REQUEST_TIMED_OUT")],
  [8, transient("BROKER_NOT_AVAILABLE")],
  [9, transient("REPLICA_NOT_AVAILABLE")],
  [10, partition("MESSAGE_TOO_LARGE")],
  [12, partition("OFFSET_METADATA_TOO_LARGE")],
  [13, transient("NETWORK_EXCEPTION")],
  [14, transient("COORDINATOR_LOAD_IN_PROGRESS")],
  [15, transient("COORDINATOR_NOT_AVAILABLE")],
  [16, transient("NOT_COORDINATOR")],
  [17, partition("INVALID_TOPIC_EXCEPTION")],
  [18, partition("RECORD_LIST_TOO_LARGE")],
  [19, transient("NOT_ENOUGH_REPLICAS")],
  [20, transient("NOT_ENOUGH_REPLICAS_AFTER_APPEND")],
  [21, partition("INVALID_REQUIRED_ACKS")],
  [22, fenced("ILLEGAL_GENERATION")],
  [23, partition("INCONSISTENT_GROUP_PROTOCOL")],
  [24, partition("INVALID_GROUP_ID")],
  [25, fenced("UNKNOWN_MEMBER_ID")],
  [26, partition("INVALID_SESSION_TIMEOUT")],
  [27, uncertain("REBALANCE_IN_PROGRESS")],
  [28, partition("INVALID_COMMIT_OFFSET_SIZE")],
  [29, lasting("TOPIC_AUTHORIZATION_FAILED")],
  [30, lasting("GROUP_AUTHORIZATION_FAILED")],
  [31, lasting("CLUSTER_AUTHORIZATION_FAILED")],
  [32, partition("INVALID_TIMESTAMP")],
  [33, lasting("UNSUPPORTED_SASL_MECHANISM")],
  [34, lasting("ILLEGAL_SASL_STATE")],
  [35, partition("UNSUPPORTED_VERSION")],
  [42, partition("INVALID_REQUEST")],
  [43, partition("UNSUPPORTED_FOR_MESSAGE_FORMAT")],
  [44, partition("POLICY_VIOLATION")],
  [45, uncertain("OUT_OF_ORDER_SEQUENCE_NUMBER")],
  [46, uncertain("DUPLICATE_SEQUENCE_NUMBER")],
  [47, fenced("INVALID_PRODUCER_EPOCH")],
  [48, uncertain("INVALID_TXN_STATE")],
  [49, uncertain("INVALID_PRODUCER_ID_MAPPING")],
  [50, partition("INVALID_TRANSACTION_TIMEOUT")],
  [51, transient("CONCURRENT_TRANSACTIONS")],
  [52, uncertain("TRANSACTION_COORDINATOR_FENCED")],
  [53, lasting("TRANSACTIONAL_ID_AUTHORIZATION_FAILED")],
  [54, lasting("SECURITY_DISABLED")],
  [55, lasting("OPERATION_NOT_ATTEMPTED")], // another partition of the same request was refused, by 3 or 29
  [56, transient("KAFKA_STORAGE_ERROR")],
  [58, lasting("SASL_AUTHENTICATION_FAILED")],
  [59, uncertain("UNKNOWN_PRODUCER_ID")],
  [70, transient("FETCH_SESSION_ID_NOT_FOUND")],
  [71, transient("INVALID_FETCH_SESSION_EPOCH")],
  [72, transient("LISTENER_NOT_FOUND")],
  [74, transient("FENCED_LEADER_EPOCH")],
  [75, transient("UNKNOWN_LEADER_EPOCH")],
  [76, partition("UNSUPPORTED_COMPRESSION_TYPE")],
  [78, transient("OFFSET_NOT_AVAILABLE")],
  [79, transient("MEMBER_ID_REQUIRED")],
  [80, transient("PREFERRED_LEADER_NOT_AVAILABLE")],
  [81, partition("GROUP_MAX_SIZE_REACHED")],
  [82, fenced("FENCED_INSTANCE_ID")],
  [87, partition("INVALID_RECORD")],
  [88, transient("UNSTABLE_OFFSET_COMMIT")],
  [89, transient("THROTTLING_QUOTA_EXCEEDED")],
  [90, fenced("PRODUCER_FENCED")],
  [100, lasting("UNKNOWN_TOPIC_ID")],
  [103, transient("INCONSISTENT_TOPIC_ID")],
  [106, transient("FETCH_SESSION_TOPIC_ID_ERROR")],
  [109, transient("OFFSET_MOVED_TO_TIERED_STORAGE")],
  [110, fenced("FENCED_MEMBER_EPOCH")],
  [113, fenced("STALE_MEMBER_EPOCH")],
  [120, uncertain("TRANSACTION_ABORTABLE")],
]);

/** The class of what ended a life or a step. What has no name is uncertain. */
export function failureClass(error: unknown): FailureClass {
  if (!(error instanceof MillraceError)) return "uncertain";
  if (error.code === "fenced") return "fenced";
  return error.code === "outcome-unknown" ? "uncertain" : "partition";
}

/** An error and what caused it, kafkajs' `originalError` included. */
export function causesOf(error: unknown): Error[] {
  const chain: Error[] = [];
  let at: unknown = error;
  while (at instanceof Error && !chain.includes(at)) {
    chain.push(at);
    at = at.cause ?? (at as { originalError?: unknown }).originalError;
  }
  return chain;
}

/** What Kafka answered, from an error of kafkajs or what caused it; null when it is no answer of a broker. */
export function kafkaFailureOf(error: unknown): KafkaFailure | null {
  for (const cause of causesOf(error)) {
    const code = codeOf(cause as { type?: string; code?: unknown; message: string });
    if (code !== null) return kafkaFailures.get(code) ?? { name: `error code ${code}`, class: "uncertain" };
  }
  return null;
}

/** kafkajs knows the codes up to 88; of a newer one only the message tells which it is. */
function codeOf({ type, code, message }: { type?: string; code?: unknown; message: string }): number | null {
  if (typeof type !== "string" || typeof code !== "number") return null;
  return code === -99 ? Number(/(-?\d+)$/.exec(message)?.[1] ?? -1) : code;
}
