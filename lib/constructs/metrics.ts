import { aws_cloudwatch as cloudwatch, aws_logs as logs, Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { seriesParts, type MetricName, type Series } from "../../domain/metrics.ts";

/** Metrics as values, apart from what alarms on them and draws them. */

/** Records between a group's committed offsets and the end of a topic; absent while the group is rebalancing. */
export function offsetLag(
  kafkaCluster: string,
  group: string,
  topic: string,
  statistic: "Sum" | "Max" = "Sum",
): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: "AWS/Kafka",
    metricName: `${statistic}OffsetLag`,
    dimensionsMap: { "Cluster Name": kafkaCluster, "Consumer Group": group, Topic: topic },
    statistic: cloudwatch.Stats.MAXIMUM,
    period: Duration.minutes(1),
    label: `${group} on ${topic}`,
  });
}

/** Seconds that a group is behind the newest record of a topic, as MSK estimates them. */
export function timeLag(kafkaCluster: string, group: string, topic: string): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: "AWS/Kafka",
    metricName: "EstimatedMaxTimeLag",
    dimensionsMap: { "Cluster Name": kafkaCluster, "Consumer Group": group, Topic: topic },
    statistic: cloudwatch.Stats.MAXIMUM,
    period: Duration.minutes(1),
    label: `${group} on ${topic}`,
  });
}

/** Records a second that arrive in a topic. */
export function messagesIn(kafkaCluster: string, topic: string): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: "AWS/Kafka",
    metricName: "MessagesInPerSec",
    dimensionsMap: { "Cluster Name": kafkaCluster, Topic: topic },
    statistic: cloudwatch.Stats.AVERAGE,
    period: Duration.minutes(1),
    label: topic,
  });
}

/** Age in seconds of the oldest row that a Firehose delivery stream has not written yet. */
export function deliveryFreshness(
  stream: string,
  options: { readonly period: Duration; readonly label?: string },
): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: "AWS/Firehose",
    metricName: "DeliveryToS3.DataFreshness",
    dimensionsMap: { DeliveryStreamName: stream },
    statistic: cloudwatch.Stats.MAXIMUM,
    ...options,
  });
}

/** Share of a Firehose delivery stream's writes to S3 that succeeded, from 0 to 1. */
export function deliverySuccess(stream: string, period: Duration): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: "AWS/Firehose",
    metricName: "DeliveryToS3.Success",
    dimensionsMap: { DeliveryStreamName: stream },
    statistic: cloudwatch.Stats.AVERAGE,
    period,
  });
}

/**
 * Lines a minute of a program's JSON log that have this text in their field `alarm`. The first call makes the filter of
 * the log that counts them.
 */
export function alarmLines(scope: Construct, log: logs.ILogGroup, alarm: string, service: string): cloudwatch.Metric {
  const metricName = `${alarm}-${service}`;
  const id = `Lines-${metricName}`;
  if (!scope.node.tryFindChild(id))
    new logs.MetricFilter(scope, id, {
      logGroup: log,
      filterPattern: logs.FilterPattern.stringValue("$.alarm", "=", alarm),
      metricNamespace: "Millrace/Logs",
      metricName,
    });
  return new cloudwatch.Metric({
    namespace: "Millrace/Logs",
    metricName,
    statistic: cloudwatch.Stats.SUM,
    period: Duration.minutes(2),
    label: service,
  });
}

/**
 * Runs of `npm run compact` that ended well: each prints what it has done, as JSON. The filter that counts them is a
 * child of the scope.
 */
export function compactions(
  scope: Construct,
  log: logs.ILogGroup,
  environment: string,
  period: Duration,
): cloudwatch.Metric {
  const metricName = `lake-compactions-${environment}`;
  const metricNamespace = "Millrace/Logs";
  new logs.MetricFilter(scope, "Compactions", {
    logGroup: log,
    filterPattern: logs.FilterPattern.numberValue("$.merged", ">=", 0),
    metricNamespace,
    metricName,
  });
  return new cloudwatch.Metric({
    namespace: metricNamespace,
    metricName,
    statistic: cloudwatch.Stats.SUM,
    period,
  });
}

/** Id of a metric in an expression: unique in a graph where the name is. */
export function expressionId(name: string): string {
  return `m_${name.replaceAll(/[^A-Za-z0-9]/g, "_")}`;
}

/** Tasks of an ECS service that run. */
export function runningTasks(ecsCluster: string, service: string): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: "ECS/ContainerInsights",
    metricName: "RunningTaskCount",
    dimensionsMap: { ClusterName: ecsCluster, ServiceName: service },
    statistic: cloudwatch.Stats.AVERAGE,
    period: Duration.minutes(1),
    label: service,
  });
}

/** Lag of one pipeline divided by its running tasks. */
export function lagPerTask(of: {
  readonly kafkaCluster: string;
  readonly group: string;
  readonly topic: string;
  readonly ecsCluster: string;
  readonly service: string;
}): cloudwatch.MathExpression {
  return new cloudwatch.MathExpression({
    expression: "IF(tasks > 0, lag / tasks, lag)",
    usingMetrics: {
      lag: offsetLag(of.kafkaCluster, of.group, of.topic),
      tasks: runningTasks(of.ecsCluster, of.service),
    },
    period: Duration.minutes(1),
    label: "lag per task",
  });
}

/** What a program of ours reports, by its series in `domain/metrics.ts`: a value of a label, or their sum. */
export function reported(
  environment: string,
  program: string,
  series: MetricName | Series,
  { period, statistic, label: text }: { readonly period: Duration; readonly statistic: string; readonly label: string },
): cloudwatch.Metric {
  const { name, label } = seriesParts(series as Series);
  return new cloudwatch.Metric({
    namespace: "Millrace",
    metricName: name,
    dimensionsMap: { environment, program, ...(label ? { [label.name]: label.value } : {}) },
    statistic,
    period,
    label: text,
  });
}

/** Events that a rule could not hand to its target, for good. EventBridge reports it only where it is not zero. */
export function failedInvocations(eventBus: string, rule: string, period: Duration): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: "AWS/Events",
    metricName: "FailedInvocations",
    dimensionsMap: { EventBusName: eventBus, RuleName: rule },
    statistic: cloudwatch.Stats.SUM,
    period,
    label: rule,
  });
}
