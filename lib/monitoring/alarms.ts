import { type aws_cloudwatch as cloudwatch, Duration } from "aws-cdk-lib";
import { runningPipelineNames } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import type { AlarmSpec } from "../../domain/alarm-spec.ts";
import { alarms } from "../../domain/alarms.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { figureMetric } from "./figure-metric.ts";
import { resourceMetrics, type MonitoredStacks } from "./service-metrics.ts";

/** An alarm of one resource. */
export interface EnvironmentAlarm {
  readonly name: string;
  readonly spec: AlarmSpec;
  readonly metric: cloudwatch.IMetric;
}

/** The alarms of an environment: of each in the table one, or one for each of its resources. */
export function environmentAlarms(config: Environment, stacks: MonitoredStacks): EnvironmentAlarm[] {
  return existingWhere(alarms, runningPipelineNames(config)).flatMap((spec) => {
    const { name, service, figure } = spec;
    if (service !== undefined)
      return resourceMetrics(service, spec, config, stacks).map(({ of, metric }) => ({
        name: of === undefined ? name : `${name}-${of}`,
        spec,
        metric,
      }));
    const metric = figure && figureMetric(figure, config.name, Duration.millis(spec.periodMs));
    return metric ? [{ name, spec, metric }] : [];
  });
}
