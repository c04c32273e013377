import { aws_cloudwatch as cloudwatch, Duration } from "aws-cdk-lib";
import { pipelineTopics, type PipelineName } from "../../config/rules.ts";
import type { Environment } from "../../config/schema.ts";
import { topics } from "../../domain/topics.ts";
import { pipelineGroups } from "../stacks/processing.ts";
import type { MonitoredStacks } from "./alarms.ts";
import { messagesIn, offsetLag, timeLag } from "./metrics.ts";

const WIDTH = 8;

function graph(title: string, left: cloudwatch.IMetric[], unit: string): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({
    title,
    left,
    leftYAxis: { label: unit, showUnits: false, min: 0 },
    width: WIDTH,
    height: 6,
  });
}

/** The rows of the dashboard, in the order of the path: what comes in, how far the processor is, what goes out. */
export function dashboardRows(
  config: Environment,
  { streaming, processing, lake, serving }: MonitoredStacks,
): cloudwatch.IWidget[][] {
  const { clusterName } = streaming;
  const pipelines = (Object.keys(pipelineTopics) as PipelineName[]).filter((name) => config.processor[name] !== null);
  const services = pipelines.flatMap((name) => processing.services[name]?.service ?? []);
  const period = Duration.minutes(1);
  return [
    [
      graph(
        "Records in",
        pipelines.map((name) => messagesIn(clusterName, topics[pipelineTopics[name].input].name)),
        "records/s",
      ),
      graph(
        "Records out",
        pipelines.flatMap((name) =>
          pipelineTopics[name].outputs.map((key) => messagesIn(clusterName, topics[key].name)),
        ),
        "records/s",
      ),
      graph("Dead letters", [messagesIn(clusterName, topics.deadLetter.name)], "records/s"),
    ],
    [
      graph(
        "Behind, estimated",
        pipelines.map((name) => timeLag(clusterName, pipelineGroups[name], topics[pipelineTopics[name].input].name)),
        "seconds",
      ),
      graph(
        "Lag",
        pipelines.map((name) => offsetLag(clusterName, pipelineGroups[name], topics[pipelineTopics[name].input].name)),
        "records",
      ),
      graph(
        "Processor CPU",
        services.map((service) => service.metricCpuUtilization({ period, statistic: cloudwatch.Stats.MAXIMUM })),
        "%",
      ),
    ],
    [
      graph(
        "Lake: oldest row not delivered",
        Object.values(lake.deliveries).map(
          ({ name }) =>
            new cloudwatch.Metric({
              namespace: "AWS/Firehose",
              metricName: "DeliveryToS3.DataFreshness",
              dimensionsMap: { DeliveryStreamName: name },
              statistic: cloudwatch.Stats.MAXIMUM,
              period,
              label: name,
            }),
        ),
        "seconds",
      ),
      graph(
        "REST latency",
        [
          serving.rest.api.metricLatency({ period, statistic: "p50" }),
          serving.rest.api.metricLatency({ period, statistic: "p99" }),
        ],
        "ms",
      ),
      graph(
        "WebSocket",
        [
          serving.webSocket.api.metric("ConnectCount", { period, statistic: cloudwatch.Stats.SUM }),
          serving.webSocket.api.metric("MessageCount", { period, statistic: cloudwatch.Stats.SUM }),
        ],
        "count",
      ),
    ],
  ];
}
