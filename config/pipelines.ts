import { pipelineNames, pipelines, type PipelineName, type PipelineSpec } from "../domain/pipelines.ts";
import type { Environment, PipelineSize } from "./schema.ts";

/** A pipeline that an environment runs. */
export interface RunningPipeline extends PipelineSpec {
  readonly name: PipelineName;
  readonly size: PipelineSize;
}

/** The pipelines of `domain/pipelines.ts` that the config has an entry for. */
export function runningPipelines({ processor }: Pick<Environment, "processor">): RunningPipeline[] {
  return pipelineNames.flatMap((name) => {
    const size = processor[name];
    return size === null ? [] : [{ ...pipelines[name], name, size }];
  });
}

/** Their names. */
export function runningPipelineNames(config: Pick<Environment, "processor">): PipelineName[] {
  return runningPipelines(config).map(({ name }) => name);
}
