import { headers as headerNames } from "../../domain/topics.ts";
import type { Failure } from "../runtime/machine.ts";

/** Codes of the dead letters that say where our own code failed, or which model was refused: facts, not judgements. */
export const failureCodes = ["processing-failed", "state-failed", "model-refused"] as const;

/** What a dead letter says of the step that it comes from. */
export interface LetterFailure extends Failure {
  /** Partition of the input. */
  readonly partition: number;
}

/** What is read of a dead letter. */
interface Letter {
  readonly key: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The failure that a dead letter stands for; null for one that a replay finds out by itself.
 *
 * @param log The log that the input's records are of, as `source-topic` names it.
 */
export function failureOf({ key, headers }: Letter, log: string): LetterFailure | null {
  const code = failureCodes.find((name) => name === headers[headerNames.errorCode]);
  if (code === undefined || headers[headerNames.sourceTopic] !== log) return null;
  return {
    partition: Number(headers[headerNames.sourcePartition]),
    offset: Number(headers[headerNames.sourceOffset]),
    key: code === "state-failed" ? Buffer.from(key ?? []).toString("utf8") : null,
    message: headers[headerNames.errorMessage] ?? "",
  };
}
