import type { PipelineName } from "../../domain/pipelines.ts";
import type { ScoringPorts } from "../inference/scoring.ts";
import { marketPipeline } from "../pipelines/market/market-pipeline.ts";
import { sensorPipeline } from "../pipelines/sensor/sensor-pipeline.ts";
import type { MachineFactory } from "../runtime/machine.ts";
import { type FactorySettings, machineFactory } from "./machine-factory.ts";

type Open = (models: ScoringPorts, settings: FactorySettings) => MachineFactory;

/** How each pipeline of the table is built. */
const factories: Readonly<Record<PipelineName, Open>> = {
  sensor: (models, settings) => machineFactory(sensorPipeline(models), settings),
  market: (_models, settings) => machineFactory(marketPipeline(), settings),
};

/** Opens a pipeline by its name, as the engine runs it. */
export function openPipeline(name: PipelineName, models: ScoringPorts, settings: FactorySettings): MachineFactory {
  return factories[name](models, settings);
}
