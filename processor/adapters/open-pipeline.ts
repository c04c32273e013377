import type { PipelineName } from "../../domain/pipelines.ts";
import type { Semantics } from "../../domain/semantics.ts";
import type { ScoringPorts } from "../inference/scoring.ts";
import type { MachineFactory } from "../runtime/machine.ts";
import { sensorMachineFactory } from "./machine-factory.ts";

type Open = (semantics: Semantics, models: ScoringPorts) => MachineFactory;

/** How each pipeline of the table is built. */
const factories: Readonly<Record<PipelineName, Open>> = { sensor: sensorMachineFactory };

/** Opens a pipeline by its name, as the engine runs it. */
export function openPipeline(name: PipelineName, semantics: Semantics, models: ScoringPorts): MachineFactory {
  return factories[name](semantics, models);
}
