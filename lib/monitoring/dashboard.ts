import { aws_cloudwatch as cloudwatch, Duration } from "aws-cdk-lib";
import { runningPipelines } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import type { MetricOf } from "../../domain/metrics.ts";
import { topics } from "../../domain/topics.ts";
import {
  deliveryFreshness,
  failedInvocations,
  messagesIn,
  offsetLag,
  reported,
  timeLag,
} from "../constructs/metrics.ts";
import type { MarketStack } from "../stacks/market.ts";
import type { MonitoredStacks } from "./service-metrics.ts";

/** A third of CloudWatch's 24 columns. */
const WIDTH = 8;
const PERIOD = Duration.minutes(1);

function graph(title: string, left: cloudwatch.IMetric[], unit: string): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({
    title,
    left,
    leftYAxis: { label: unit, showUnits: false, min: 0 },
    width: WIDTH,
    height: 6,
  });
}

/**
 * The rows of the dashboard, in the order of the path: what comes in (trades apart), how far the processor is, what
 * goes out.
 */
export function dashboardRows(config: Environment, stacks: MonitoredStacks): cloudwatch.IWidget[][] {
  const market = stacks.market ? [tradesRow(stacks.market)] : [];
  return [throughputRow(config, stacks), ...market, lagRow(config, stacks), outputRow(stacks), auditRow(config)];
}

function throughputRow(config: Environment, { streaming: { clusterName } }: MonitoredStacks): cloudwatch.IWidget[] {
  const pipelines = runningPipelines(config);
  const inputs = pipelines.map(({ input }) => input);
  const outputs = pipelines.flatMap((pipeline) => pipeline.outputs);
  const rate = (key: keyof typeof topics): cloudwatch.IMetric => messagesIn(clusterName, topics[key].name);
  return [
    graph("Records in", inputs.map(rate), "records/s"),
    graph("Records out", outputs.map(rate), "records/s"),
    graph("Dead letters", [rate("deadLetter")], "records/s"),
  ];
}

/** The way in of trades: the queue behind the event bus, and the function that empties it. */
function tradesRow({ bus, produceTrades }: MarketStack): cloudwatch.IWidget[] {
  const sum = { period: PERIOD, statistic: cloudwatch.Stats.SUM };
  const most = { period: PERIOD, statistic: cloudwatch.Stats.MAXIMUM };
  return [
    graph(
      "Trades: to Kafka",
      [bus.trades.metricNumberOfMessagesSent(sum), bus.trades.metricNumberOfMessagesDeleted(sum)],
      "events/min",
    ),
    graph("Trades: oldest that waits", [bus.trades.metricApproximateAgeOfOldestMessage(most)], "seconds"),
    graph(
      "Trades: failures",
      [
        produceTrades.function.metricErrors(sum),
        failedInvocations(bus.name, bus.ruleName, PERIOD),
        bus.failures.metricApproximateNumberOfMessagesVisible(most),
      ],
      "count",
    ),
  ];
}

function lagRow(config: Environment, { streaming, processing }: MonitoredStacks): cloudwatch.IWidget[] {
  const pipelines = runningPipelines(config);
  const lag = (metric: typeof timeLag): cloudwatch.IMetric[] =>
    pipelines.map(({ consumerGroup, input }) => metric(streaming.clusterName, consumerGroup, topics[input].name));
  const services = pipelines.flatMap(({ name }) => processing.services[name]?.service ?? []);
  return [
    graph("Behind, estimated", lag(timeLag), "seconds"),
    graph("Lag", lag(offsetLag), "records"),
    graph(
      "Processor CPU",
      services.map((service) => service.metricCpuUtilization({ period: PERIOD, statistic: cloudwatch.Stats.MAXIMUM })),
      "%",
    ),
  ];
}

/** What the outputs look like to somebody who reads them. */
function auditRow(config: Environment): cloudwatch.IWidget[] {
  const found = (metric: MetricOf<"counter">): cloudwatch.IMetric =>
    reported(config.name, "audit-output", metric, { period: PERIOD });
  const missing = runningPipelines(config).map(({ name }) => found(`audit-output.${name}-missing-windows`));
  return [
    graph("Outputs audited", [found("audit-output.records")], "records/min"),
    graph(
      "Outputs seen twice, or unreadable",
      (["audit-output.repeated-ids", "audit-output.unreadable"] as const).map(found),
      "records/min",
    ),
    graph("Windows missing", missing, "windows/min"),
  ];
}

function outputRow({ lake, serving }: MonitoredStacks): cloudwatch.IWidget[] {
  const streams = Object.values(lake.deliveries).map(({ name }) => name);
  const rest = serving.rest.api;
  const webSocket = serving.webSocket.api;
  return [
    graph(
      "Lake: oldest row not delivered",
      streams.map((name) => deliveryFreshness(name, { period: PERIOD, label: name })),
      "seconds",
    ),
    graph(
      "REST latency",
      ["p50", "p99"].map((statistic) => rest.metricLatency({ period: PERIOD, statistic })),
      "ms",
    ),
    graph(
      "WebSocket",
      ["ConnectCount", "MessageCount"].map((name) =>
        webSocket.metric(name, { period: PERIOD, statistic: cloudwatch.Stats.SUM }),
      ),
      "count",
    ),
  ];
}
