import { pipelines, type PipelineName } from "../domain/pipelines.ts";
import { controlTypes, headers, topics } from "../domain/topics.ts";
import type { BridgeRecord } from "./to-record.ts";

/** The input topics of these pipelines that get ticks, by the table of pipelines. */
export function tickedInputs(running: readonly PipelineName[]): string[] {
  return running
    .map((name) => pipelines[name])
    .filter(({ ticked }) => ticked)
    .map(({ input }) => topics[input].name);
}

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
