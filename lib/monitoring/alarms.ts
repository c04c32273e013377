import { aws_cloudwatch as cloudwatch, Duration } from "aws-cdk-lib";
import { runningPipelineNames } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import type { AlarmSpec, Figure } from "../../domain/alarm-spec.ts";
import { alarms } from "../../domain/alarms.ts";
import { seriesParts, type MetricName, type Series } from "../../domain/metrics.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { reported } from "../constructs/metrics.ts";
import { resourceMetrics, type MonitoredStacks } from "./service-metrics.ts";

/** An alarm of one resource. */
export interface EnvironmentAlarm {
  readonly name: string;
  readonly spec: AlarmSpec;
  readonly metric: cloudwatch.IMetric;
}

/** Programs whose metrics are in CloudWatch, as the first part of a metric's name. */
const REPORTING = ["audit-output"];

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

/** Undefined where the programs that report it do not do so in CloudWatch. */
function figureMetric(figure: Figure, environment: string, period: Duration): cloudwatch.IMetric | undefined {
  const of = (name: MetricName | Series, statistic: string): cloudwatch.Metric | undefined => {
    const program = name.split(".")[0]!;
    if (!REPORTING.includes(program)) return undefined;
    return reported(environment, program, seriesParts(name as Series).name, { period, statistic });
  };
  switch (figure.of) {
    case "growth": {
      const [metric] = figure.counters.map((name) => of(name, cloudwatch.Stats.SUM));
      return metric;
    }
    case "gauge":
      return of(figure.gauge, figure.statistic);
    case "p99":
      return of(figure.timing, cloudwatch.Stats.percentile(99));
    case "share": {
      const [part, whole] = [figure.part, figure.whole].map((name) => of(name, cloudwatch.Stats.SUM));
      if (!part || !whole) return undefined;
      return new cloudwatch.MathExpression({
        expression: "100 * part / whole",
        usingMetrics: { part, whole },
        label: figure.part,
        period,
      });
    }
  }
}
