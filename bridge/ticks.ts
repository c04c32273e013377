import { controlTypes, headers } from "../domain/topics.ts";
import type { BridgeRecord } from "./to-record.ts";

/**
 * One tick for each partition of each topic. A tick is a control record: it lets the processor's watermark advance
 * while sensors are silent.
 */
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
