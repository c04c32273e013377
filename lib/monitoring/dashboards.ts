import { aws_cloudwatch as cloudwatch, Duration } from "aws-cdk-lib";
import { runningPipelineNames } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import { alarms } from "../../domain/alarms.ts";
import {
  dashboards,
  GRAPH_PERIOD_MS,
  type DashboardName,
  type Graph,
  type GraphLine,
} from "../../domain/dashboards.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { figureMetric } from "./figure-metric.ts";
import { resourceMetrics, type MonitoredStacks } from "./service-metrics.ts";

/** A third of CloudWatch's 24 columns. */
const WIDTH = 8;
const GRAPHS_IN_ROW = 3;

/** The rows of a dashboard: its graphs that have a metric here, each over what good looks like. */
export function dashboardRows(
  name: DashboardName,
  config: Environment,
  stacks: MonitoredStacks,
): cloudwatch.IWidget[][] {
  const widgets = dashboards[name].flatMap((graph: Graph): cloudwatch.IWidget[] => {
    const left = existingWhere(graph.lines, runningPipelineNames(config)).flatMap((line) =>
      metricsOf(line, config, stacks),
    );
    return left.length === 0 ? [] : [widget(graph, left)];
  });
  return Array.from({ length: Math.ceil(widgets.length / GRAPHS_IN_ROW) }, (_, row) =>
    widgets.slice(row * GRAPHS_IN_ROW, (row + 1) * GRAPHS_IN_ROW),
  );
}

function metricsOf(line: GraphLine, config: Environment, stacks: MonitoredStacks): cloudwatch.IMetric[] {
  const { figure, service, pipeline, label } = line;
  if (service !== undefined) {
    const of = { periodMs: GRAPH_PERIOD_MS, ...(pipeline === undefined ? {} : { pipeline }) };
    return resourceMetrics(service, of, config, stacks).map(({ metric }) => metric);
  }
  const metric = figure && figureMetric(figure, config.name, Duration.millis(GRAPH_PERIOD_MS), label);
  return metric ? [metric] : [];
}

function widget({ title, unit, good, alarm }: Graph, left: cloudwatch.IMetric[]): cloudwatch.IWidget {
  const spec = alarms.find(({ name }) => name === alarm);
  const graph = new cloudwatch.GraphWidget({
    title,
    left,
    leftYAxis: { label: unit, showUnits: false, min: 0 },
    leftAnnotations: spec
      ? [{ value: spec.threshold, label: `${spec.severity} ${spec.comparison} ${spec.threshold}`, color: "#d13212" }]
      : [],
    width: WIDTH,
    height: 6,
  });
  const text = new cloudwatch.TextWidget({ markdown: `Good: ${good}.`, width: WIDTH, height: 1 });
  return new cloudwatch.Column(graph, text);
}
