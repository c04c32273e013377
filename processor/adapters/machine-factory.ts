import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { logName } from "../../domain/names.ts";
import { defaultSemantics, type Semantics } from "../../domain/semantics.ts";
import type { ScoringPorts } from "../inference/scoring.ts";
import { sensorPipeline } from "../pipelines/sensor/sensor-pipeline.ts";
import type { MachineFactory } from "../runtime/machine.ts";
import type { Message } from "../runtime/message.ts";
import { type MachineSettings, PartitionMachine } from "../runtime/partition-machine.ts";
import type { Pipeline } from "../runtime/pipeline.ts";
import { settingsBefore } from "./settings-before.ts";

/** Settings that a machine has from elsewhere than the log. */
export interface FactorySettings {
  /** What a log without a `settings` record runs on. Every program leaves it at the default. */
  readonly initial?: Semantics;
  /** Overrides every `settings` record. Only a replay does that. */
  readonly override?: Partial<Semantics>;
  /** Under which the state may have been made that is from before settings stood in the log. */
  readonly formerly?: Semantics;
  /** Takes `formerly` for such state, whatever its fingerprint says. Only a recovery does that. */
  readonly trustFormerly?: boolean;
  /** Generation of the log in the source topic. @default 1 */
  readonly generation?: number;
}

/** A pipeline as the engine runs it. */
export function machineFactory<M extends Message>(
  pipeline: Pipeline<M>,
  {
    initial = defaultSemantics,
    override = {},
    formerly = defaultSemantics,
    trustFormerly = false,
    generation = 1,
  }: FactorySettings = {},
): MachineFactory {
  const log = logName(pipeline.source, generation);
  const settings: MachineSettings = {
    log,
    initial: { ...initial, ...override },
    override,
    before: (former) => (trustFormerly ? formerly : settingsBefore(former, [formerly, defaultSemantics])),
  };
  return {
    pipeline: pipeline.name,
    sourceTopic: pipeline.source,
    log,
    fingerprint: fingerprint(),
    version: packageVersion(),
    create: (origin) => PartitionMachine.create(pipeline, origin, settings),
  };
}

/** The sensor pipeline as the engine runs it; `initial`: what a log without a `settings` record runs on. */
export function sensorMachineFactory(initial?: Semantics, models?: ScoringPorts): MachineFactory {
  return machineFactory(sensorPipeline(models), initial === undefined ? {} : { initial });
}

/** Folders whose code decides what the outputs are, from `processor/`. */
const CODE = ["runtime", "operators", "inference", "pipelines", "../domain"];

/** SHA-256 over the code that decides what the outputs are; 16 hex digits. */
function fingerprint(): string {
  const hash = createHash("sha256");
  for (const folder of CODE) {
    const path = join(import.meta.dirname, "..", folder);
    for (const file of readdirSync(path, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .sort())
      hash.update(file).update(readFileSync(join(path, file)));
  }
  return hash.digest("hex").slice(0, 16);
}

/** Version of Millrace. */
function packageVersion(): string {
  const manifest = readFileSync(join(import.meta.dirname, "..", "..", "package.json"), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}
