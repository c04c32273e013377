import { taskKey, transactionalId } from "../../domain/names.ts";
import type { MachineFactory } from "../runtime/machine.ts";

/** Who writes, and where its progress belongs. */
export interface OutputTarget {
  /** Name of the task: its key in `millrace-progress`, and its name in logs. */
  readonly task: string;
  readonly transactionalId: string;
  readonly groupId: string;
  readonly sourceTopic: string;
  /** Input partition; outputs and progress go to the same number. */
  readonly partition: number;
}

/** What a pipeline's task writes as. */
export function outputTarget(
  {
    environment,
    groupId,
    factory: { pipeline, sourceTopic, log },
  }: { readonly environment: string; readonly groupId: string; readonly factory: MachineFactory },
  partition: number,
): OutputTarget {
  return {
    task: taskKey(pipeline, log, partition),
    transactionalId: transactionalId(environment, pipeline, log, partition),
    groupId,
    sourceTopic,
    partition,
  };
}
