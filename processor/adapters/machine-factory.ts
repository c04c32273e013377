import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Semantics } from "../../domain/semantics.ts";
import type { ScoringPorts } from "../inference/scoring.ts";
import { sensorPipeline } from "../pipelines/sensor/sensor-pipeline.ts";
import type { MachineFactory } from "../runtime/machine.ts";
import type { Message } from "../runtime/message.ts";
import { PartitionMachine } from "../runtime/partition-machine.ts";
import type { Pipeline } from "../runtime/pipeline.ts";

/** A pipeline as the engine runs it. `settings` are those that decide what its outputs are. */
export function machineFactory<M extends Message>(pipeline: Pipeline<M>, settings: object): MachineFactory {
  return {
    pipeline: pipeline.name,
    sourceTopic: pipeline.source,
    fingerprint: fingerprint(settings),
    create: (origin) => PartitionMachine.create(pipeline, origin),
  };
}

/** The sensor pipeline as the engine runs it. */
export function sensorMachineFactory(semantics: Semantics, models?: ScoringPorts): MachineFactory {
  return machineFactory(sensorPipeline(semantics, models), semantics);
}

/** Folders whose code decides what the outputs are, from `processor/`. */
const CODE = ["runtime", "operators", "inference", "pipelines", "../domain"];

/** SHA-256 over the code and the settings that decide what the outputs are; 16 hex digits. */
function fingerprint(settings: object): string {
  const hash = createHash("sha256");
  for (const folder of CODE) {
    const path = join(import.meta.dirname, "..", folder);
    for (const file of readdirSync(path, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .sort())
      hash.update(file).update(readFileSync(join(path, file)));
  }
  return hash
    .update(JSON.stringify(settings, Object.keys(settings).sort()))
    .digest("hex")
    .slice(0, 16);
}
