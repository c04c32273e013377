import { controlTypes, headers } from "../domain/topics.ts";
import type { BridgeRecord } from "./to-record.ts";

/** One tick for each partition of each topic: a control record, so that silence passes too. */
export function ticks(partitionCounts: ReadonlyMap<string, number>): BridgeRecord[] {
  return [...partitionCounts].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({
      topic,
      partition,
      key: null,
      value: null,
      headers: { [headers.type]: controlTypes.tick },
    })),
  );
}
