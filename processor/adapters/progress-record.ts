import { progressRecord, type ProgressRecord } from "../../domain/records.ts";
import type { Progress } from "../engine/ports.ts";

/** The value of a progress record, as JSON. */
export function encodeProgress({ failed, ...progress }: Progress): string {
  const named = failed.map(({ offset, message, key }): NonNullable<ProgressRecord["failed"]>[number] =>
    key === null ? [offset, message] : [offset, message, key],
  );
  const record: ProgressRecord = {
    ...progress,
    ...(named.length > 0 ? { failed: named } : {}),
  };
  return JSON.stringify(record);
}

/** @throws SyntaxError when it is no JSON, ZodError when it is no progress record */
export function decodeProgress(json: string): Progress {
  const { failed, ...progress } = progressRecord.parse(JSON.parse(json));
  return { ...progress, failed: failed.map(([offset, message, key = null]) => ({ offset, message, key })) };
}
