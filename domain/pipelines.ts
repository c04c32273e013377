import type { ControlType, TopicKey } from "./topics.ts";

/** A pipeline: which topic it reads, which it writes, and who reads it. */
export interface PipelineSpec {
  /** The topic whose partitions its tasks own; its records may be control records. */
  readonly input: TopicKey;
  /** The topics that it writes. Each has the input's partitions: a record goes to the partition of its input. */
  readonly outputs: readonly TopicKey[];
  /** Which of the outputs takes readings that are too late. */
  readonly late: TopicKey;
  /** Consumer group of its processors. */
  readonly consumerGroup: string;
  /** Control records that it takes besides `tick` and `settings`: any other type stops a partition. */
  readonly controls: readonly ControlType[];
  /** Whether the bridge appends a tick a second to each input partition, so that silence passes too. */
  readonly ticked: boolean;
}

/**
 * The one table of pipelines. A pipeline is in it when `processor/pipelines/<name>/` runs it; every other name is
 * refused wherever one can be given: `PIPELINE`, `--pipeline`, `processor.<name>` of an environment.
 */
export const pipelines = {
  sensor: {
    input: "imuData",
    outputs: ["transformed", "aggregated", "late", "sessions", "inference"],
    late: "late",
    consumerGroup: "millrace-processor-sensor",
    controls: ["model", "erase"],
    ticked: true,
  },
  market: {
    input: "trades",
    outputs: ["marketEnriched", "marketAggregated", "marketPositions", "marketAlerts", "marketLate"],
    late: "marketLate",
    consumerGroup: "millrace-processor-market",
    controls: ["reference"],
    ticked: true,
  },
} as const satisfies Record<string, PipelineSpec>;

export type PipelineName = keyof typeof pipelines;

export const pipelineNames = Object.keys(pipelines) as PipelineName[];

/** The programs that run the pipelines, as metrics and `npm start` name them. */
export const processorPrograms = {
  sensor: "processor",
  market: "processor-market",
} as const satisfies Record<PipelineName, string>;

/** Whether a pipeline of this name is in the table. */
export function isPipelineName(name: string): name is PipelineName {
  return Object.hasOwn(pipelines, name);
}

/** What exists only where a pipeline runs; everywhere, where it names none. */
export interface OfPipeline {
  readonly pipeline?: PipelineName;
}

/** Those that exist where these pipelines run. */
export function existingWhere<T extends OfPipeline>(all: readonly T[], running: readonly PipelineName[]): T[] {
  return all.filter(({ pipeline }) => pipeline === undefined || running.includes(pipeline));
}

/** The pipeline that writes a topic; undefined for a topic that is no pipeline's output. */
export function pipelineOfOutput(topic: TopicKey): PipelineName | undefined {
  return pipelineNames.find((name) => (pipelines[name].outputs as readonly TopicKey[]).includes(topic));
}
