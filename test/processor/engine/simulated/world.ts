import type { Runtime, TaskPorts } from "../../../../processor/engine/ports.ts";
import { Processor } from "../../../../processor/engine/processor.ts";
import { defaultTaskOptions, type TaskOptions } from "../../../../processor/engine/task-options.ts";
import type { MachineFactory } from "../../../../processor/runtime/machine.ts";
import { countingMachineFactory, expectedOutputs, POISON, SILENT } from "../counting-machine.ts";
import { SimulatedGroup, SimulatedMembership } from "./group.ts";
import { Kernel, type FaultPlan, type SimulatedProcess } from "./kernel.ts";
import { SimulatedInput, SimulatedOutput, SimulatedPartition } from "./log.ts";
import { SimulatedSnapshots, SimulatedTable } from "./snapshots.ts";

export const SOURCE = "source";

export interface WorldOptions {
  readonly seed: number;
  readonly partitions: number;
  readonly processors: number;
  readonly plan?: FaultPlan;
  readonly factory?: MachineFactory;
  readonly task?: Partial<TaskOptions>;
  /** Time after which a processor that died is started again. */
  readonly restartMs?: number;
}

/** The engine's environment in memory: logs, coordinator, table and processors, on one seeded scheduler. */
export class World {
  readonly kernel: Kernel;
  readonly partitions: SimulatedPartition[];
  readonly table = new SimulatedTable();
  readonly processors: { process: SimulatedProcess; processor: Processor }[] = [];
  readonly #group: SimulatedGroup;
  readonly #options: WorldOptions;
  /** The machines of processors that start from now on. */
  factory: MachineFactory;
  starts = 0;
  /** How often a life ended with an uncertain outcome, and a task with a fence. */
  restarts = 0;
  fenced = 0;
  /** Tasks that stopped with a named error at some time, also if their process has lost the partition since. */
  readonly stops: string[] = [];
  tokens = 0;
  /** Commits so far: when each was answered. */
  readonly commits: { readonly task: string; readonly at: number }[] = [];

  constructor(options: WorldOptions) {
    this.#options = options;
    this.kernel = new Kernel(options.seed);
    if (options.plan) this.kernel.plan = options.plan;
    this.partitions = Array.from({ length: options.partitions }, () => new SimulatedPartition());
    this.#group = new SimulatedGroup(this.kernel, options.partitions);
    this.factory = options.factory ?? countingMachineFactory(SOURCE);
    for (let i = 0; i < options.processors; i++) this.#start(i);
    this.#supervise();
  }

  #start(slot: number): void {
    const process = this.kernel.process(`p${slot}.${this.starts++}`);
    const processor = new Processor(
      new SimulatedMembership(this.#group, process),
      {
        factory: this.factory,
        options: { ...defaultTaskOptions, snapshotIntervalMs: 500, ...this.#options.task },
        runtime: this.runtime(process),
        observer: {
          log: (level, fields, message) => {
            if (message === "task was fenced") this.fenced++;
            if (level !== "debug")
              this.kernel.trace.push(
                `${Math.round(this.kernel.now)} ${process.name} ${message} ${JSON.stringify(fields)}`,
              );
          },
          committed: (task) => void this.commits.push({ task, at: this.kernel.now }),
          stepped() {},
          snapshotWritten() {},
          restarted: (_task, error) => {
            this.restarts++;
            this.kernel.trace.push(`${Math.round(this.kernel.now)} ${process.name} restarts: ${String(error)}`);
          },
          recovered() {},
          stopped: (task, isStopped) => {
            if (isStopped) this.stops.push(`${task} of ${process.name} at ${Math.round(this.kernel.now)}`);
          },
        },
        openPorts: (partition) => this.ports(process, partition),
      },
      () => this.kernel.kill(process),
    );
    this.processors[slot] = { process, processor };
    void processor.start();
  }

  runtime(process: SimulatedProcess): Runtime {
    return {
      now: () => this.kernel.now,
      sleep: (ms) => this.kernel.sleep(process, ms),
      token: () => `token-${this.tokens++}`,
      compress: (bytes) => Promise.resolve(bytes),
      decompress: (bytes) => Promise.resolve(bytes),
    };
  }

  ports(process: SimulatedProcess, partition: number): TaskPorts {
    const log = this.partitions[partition]!;
    return {
      input: new SimulatedInput(this.kernel, process, log, 8),
      output: new SimulatedOutput(this.kernel, process, log),
      snapshots: new SimulatedSnapshots(this.kernel, process, this.table),
    };
  }

  /** Runs the world until a promise is settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    void Promise.allSettled([promise]).then(() => (settled = true));
    await this.kernel.run(Infinity, () => settled);
    return promise;
  }

  /** Starts processors that died. */
  #supervise(): void {
    const restartMs = this.#options.restartMs ?? 200;
    this.processors.forEach(({ process }, slot) => {
      if (!process.alive) this.#start(slot);
    });
    this.kernel.schedule(restartMs, null, () => this.#supervise());
  }

  /** Appends records with random keys at random times within `forMs`; `shares` are those of special ones. */
  feed(records: number, forMs: number, shares: { readonly poison?: number; readonly silent?: number } = {}): void {
    const { poison = 0, silent = 0 } = shares;
    for (let i = 0; i < records; i++) {
      const partition = Math.floor(this.kernel.random() * this.partitions.length);
      this.kernel.schedule(this.kernel.random() * forMs, null, () => {
        const log = this.partitions[partition]!;
        // A transaction marker takes an offset.
        const gap = this.kernel.random() < 0.05 ? 1 : 0;
        const special = this.kernel.random();
        log.append({
          partition,
          offset: log.latest + gap,
          timestamp: Math.floor(this.kernel.now),
          key: Buffer.from(`k${Math.floor(this.kernel.random() * 5)}`),
          value: Buffer.from(special < poison ? POISON : special < poison + silent ? SILENT : "x"),
          headers: {},
        });
      });
    }
  }

  /** How often processes have joined the group again, besides their starts. */
  get rejoins(): number {
    return this.#group.joins - this.starts;
  }

  /** How often a task has fenced, over all partitions. */
  get fences(): number {
    return this.partitions.reduce((sum, { epoch }) => sum + epoch, 0);
  }

  /** Whether everything fed so far has been processed and committed. */
  get caughtUp(): boolean {
    return this.partitions.every(
      (partition) => partition.input.length === 0 || partition.lastProgress()?.nextOffset === partition.latest,
    );
  }

  /** Whether the group's offsets say so, too. */
  get groupCaughtUp(): boolean {
    return this.partitions.every(({ input, groupOffset, latest }) => input.length === 0 || groupOffset === latest);
  }

  /** Messages of the errors that stopped tasks. */
  get stopped(): string[] {
    return this.processors.flatMap(({ process, processor }) =>
      process.alive ? processor.tasks().flatMap((task) => task.stopped?.message ?? []) : [],
    );
  }

  /** Committed outputs and the expected ones, as lines, for each partition. */
  results(): { partition: number; committed: string[]; expected: string[] }[] {
    return this.partitions.map((log, partition) => ({
      partition,
      committed: log.committed.map(
        ({ topic, key, value }) => `${topic} ${String(key)} ${Buffer.from(value!).toString()}`,
      ),
      expected: expectedOutputs(
        SOURCE,
        partition,
        log.input.map(({ offset, key, value }) => ({
          offset,
          key: Buffer.from(key!).toString(),
          value: Buffer.from(value!).toString(),
        })),
      ),
    }));
  }
}
