import { CommitBudget } from "../../../processor/engine/commit-budget.ts";
import type { EngineObserver, TaskPorts } from "../../../processor/engine/ports.ts";
import { Turns } from "../../../processor/engine/suspects.ts";
import { defaultTaskOptions, type TaskOptions } from "../../../processor/engine/task-options.ts";
import { Task, type TaskEnd } from "../../../processor/engine/task.ts";
import type { ProcessOutputs } from "../../../processor/engine/waiting-outputs.ts";
import type { MachineFactory } from "../../../processor/runtime/machine.ts";
import type { SimulatedProcess } from "./simulated/kernel.ts";
import { World } from "./simulated/world.ts";

/** A task without a group, in a simulated world. */
export interface OneTask {
  readonly task: Task;
  readonly process: SimulatedProcess;
  readonly ended: Promise<TaskEnd>;
  /** Messages of what was logged and of the errors that ended lives. */
  readonly log: string[];
  /** How often the task has fenced. */
  readonly fences: () => number;
  /** Virtual times at which lives ended. */
  readonly restarts: number[];
  /** Outputs that wait in the process. */
  readonly waiting: ProcessOutputs;
}

interface OneTaskOptions {
  readonly options?: Partial<TaskOptions>;
  readonly factory?: MachineFactory;
  /** What the group answers. @default yes */
  confirm?(): Promise<boolean>;
  /** Wraps the ports of each life. */
  wrap?(ports: TaskPorts): TaskPorts;
  readonly observer?: Partial<EngineObserver>;
}

/** A world of one partition and no processor. */
export function emptyWorld(seed = 1): World {
  return new World({ seed, partitions: 1, processors: 0 });
}

/** Starts a task on the world's partition. */
export function startTask(world: World, given: OneTaskOptions = {}, name = "p"): OneTask {
  const process = world.kernel.process(name);
  const log: string[] = [];
  const restarts: number[] = [];
  const waiting = { bytes: 0 };
  let fences = 0;
  const ignore = (): void => undefined;
  const task = new Task(0, {
    factory: given.factory ?? world.factory,
    options: { ...defaultTaskOptions, ...given.options },
    runtime: world.runtime(process),
    waiting,
    turns: new Turns(),
    budget: new CommitBudget({ ...defaultTaskOptions, ...given.options }.transactionsPerSecond),
    observer: {
      log: (_level, _fields, message) => log.push(message),
      committed: ignore,
      stepped: ignore,
      snapshotWritten: ignore,
      restarted: (_task, error) => {
        restarts.push(world.kernel.now);
        log.push(String(error));
      },
      recovered: ignore,
      ...given.observer,
    },
    openPorts: () => {
      const ports = world.ports(process, 0);
      const fence = ports.output.fence.bind(ports.output);
      ports.output.fence = () => {
        fences++;
        return fence();
      };
      return given.wrap?.(ports) ?? ports;
    },
    confirm: () => given.confirm?.() ?? Promise.resolve(true),
  });
  return { task, process, ended: task.run(), log, fences: () => fences, restarts, waiting };
}

/** Appends records at once. */
export function append(world: World, values: readonly string[]): void {
  const log = world.partitions[0]!;
  for (const [i, value] of values.entries())
    log.append({
      partition: 0,
      offset: log.latest,
      timestamp: 0,
      key: Buffer.from(`k${i % 3}`),
      value: Buffer.from(value),
      headers: {},
    });
}

/** Runs the world until `done`, at most for ten virtual minutes. @throws Error when it does not come true */
export async function runUntil(world: World, done: () => boolean): Promise<void> {
  if (!(await world.kernel.run(world.kernel.now + 600_000, done)))
    throw new Error(`did not come true\n${world.kernel.trace.join("\n")}`);
}
