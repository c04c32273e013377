import { aws_cloudwatch as cloudwatch, Duration } from "aws-cdk-lib";
import { runningPipelineNames, runningPipelines, type RunningPipeline } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import type { AlarmSpec, ServiceMetric } from "../../domain/alarm-spec.ts";
import { eventSourceMappings } from "../../domain/event-source-mappings.ts";
import { PARTITION_STOPPED } from "../../domain/names.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { topics } from "../../domain/topics.ts";
import {
  alarmLines,
  compactions,
  deliveryFreshness,
  deliverySuccess,
  expressionId,
  failedInvocations,
  messagesIn,
  offsetLag,
  runningTasks,
  timeLag,
} from "../constructs/metrics.ts";
import type { ContainerService } from "../reusable/container-service.ts";
import type { AuditStack } from "../stacks/audit.ts";
import type { DeliveryStack } from "../stacks/delivery.ts";
import type { FeaturesStack } from "../stacks/features.ts";
import type { IngestionStack } from "../stacks/ingestion.ts";
import type { LakeStack } from "../stacks/lake.ts";
import type { MarketStack } from "../stacks/market.ts";
import type { OperationsStack } from "../stacks/operations.ts";
import type { ProcessingStack } from "../stacks/processing.ts";
import type { ServingStack } from "../stacks/serving.ts";
import type { StreamingStack } from "../stacks/streaming.ts";

export interface MonitoredStacks {
  readonly streaming: StreamingStack;
  readonly ingestion: IngestionStack;
  readonly processing: ProcessingStack;
  readonly operations: OperationsStack;
  readonly lake: LakeStack;
  readonly delivery: DeliveryStack;
  readonly features: FeaturesStack;
  readonly audit: AuditStack;
  readonly serving: ServingStack;
  /** Where the market runs. */
  readonly market: MarketStack | undefined;
}

/** A metric of one resource. `of` names it where an alarm exists for several. */
export interface ResourceMetric {
  readonly of?: string;
  readonly metric: cloudwatch.IMetric;
}

interface Context {
  readonly config: Environment;
  readonly stacks: MonitoredStacks;
  /** Of the alarm's pipeline; of all that run where it has none. */
  readonly pipelines: readonly RunningPipeline[];
  readonly period: Duration;
}

/** The metrics of an environment that an alarm's `service` stands for. */
export function resourceMetrics(
  service: ServiceMetric,
  { pipeline, periodMs }: Pick<AlarmSpec, "pipeline" | "periodMs">,
  config: Environment,
  stacks: MonitoredStacks,
): ResourceMetric[] {
  const pipelines = runningPipelines(config).filter(({ name }) => pipeline === undefined || name === pipeline);
  return services[service]({ config, stacks, pipelines, period: Duration.millis(periodMs) });
}

const { SUM, MAXIMUM } = cloudwatch.Stats;

/** A figure that is calculated from one metric. */
function calculated(
  metric: cloudwatch.Metric,
  expression: (m: string) => string,
  label: string,
  period: Duration,
): cloudwatch.IMetric {
  const id = expressionId(label);
  const usingMetrics = { [id]: metric.with({ period }) };
  return new cloudwatch.MathExpression({ expression: expression(id), usingMetrics, label, period });
}

function recordsAMinute({ stacks, period }: Context, topic: string): ResourceMetric {
  return { metric: calculated(messagesIn(stacks.streaming.clusterName, topic), (m) => `${m} * 60`, topic, period) };
}

function groupMetric(of: typeof timeLag, { stacks, pipelines }: Context): ResourceMetric[] {
  const { clusterName } = stacks.streaming;
  return pipelines.map(({ consumerGroup, input }) => ({ metric: of(clusterName, consumerGroup, topics[input].name) }));
}

/** The services of ECS; the keys are their names. */
function streamServices({ processing, ingestion, serving }: MonitoredStacks): [string, ContainerService][] {
  const services = {
    ...processing.services,
    live: serving.live,
    ...Object.fromEntries(ingestion.bridges.map((bridge, index) => [`bridge-${index}`, bridge])),
  };
  return Object.entries(services).filter((entry): entry is [string, ContainerService] => entry[1] !== undefined);
}

const services: Readonly<Record<ServiceMetric, (context: Context) => ResourceMetric[]>> = {
  "dead-letters": (context) => [recordsAMinute(context, topics.deadLetter.name)],
  "late-records": (context) => context.pipelines.map(({ late }) => recordsAMinute(context, topics[late].name)),
  "input-records": (context) => context.pipelines.map(({ input }) => recordsAMinute(context, topics[input].name)),
  "output-records": (context) =>
    context.pipelines.map(({ outputs }) => recordsAMinute(context, topics[outputs[1]!].name)),
  "offset-lag": (context) => groupMetric(offsetLag, context),
  "time-lag": (context) => groupMetric(timeLag, context),
  "function-offset-lag": ({ config, stacks, period }) => {
    const mappings = existingWhere(eventSourceMappings, runningPipelineNames(config));
    return [...Map.groupBy(mappings, ({ functionName }) => functionName)].map(([of, ofFunction]) => {
      const lags = ofFunction.map(({ consumerGroup, topic }) => [
        expressionId(consumerGroup),
        offsetLag(stacks.streaming.clusterName, consumerGroup, topic),
      ]);
      const usingMetrics = Object.fromEntries(lags) as Record<string, cloudwatch.IMetric>;
      const expression = `MAX([${Object.keys(usingMetrics).join(", ")}])`;
      return { of, metric: new cloudwatch.MathExpression({ expression, usingMetrics, label: of, period }) };
    });
  },
  "services-down": ({ stacks, period }) =>
    streamServices(stacks).map(([of, { service }]) => ({
      of,
      metric: calculated(
        runningTasks(stacks.processing.cluster.clusterName, service.serviceName),
        (m) => `IF(${m} < 1, 1, 0)`,
        of,
        period,
      ),
    })),
  "service-cpu": ({ stacks, period }) =>
    streamServices(stacks).map(([of, { service }]) => ({
      of,
      metric: service.metricCpuUtilization({ period, statistic: MAXIMUM, label: of }),
    })),
  "stopped-partition-lines": ({ config, stacks, pipelines }) =>
    pipelines.flatMap(({ name }) => {
      const made = stacks.processing.services[name];
      return made === undefined
        ? []
        : [{ metric: alarmLines(made, made.log, PARTITION_STOPPED, `${config.name}-${name}`) }];
    }),
  "failure-queue": ({ stacks: { delivery, features, audit, serving, ingestion, market }, period }) => {
    const consumers = [delivery.writeLake, features.writeFeatures, audit.auditOutput, ...serving.stores];
    const queues = [
      ...consumers.map(({ failures, node }) => ({ of: node.id.replace("Consumer-", ""), queue: failures })),
      { of: "iot-rules", queue: ingestion.ruleFailures },
      { of: "feature-checks", queue: features.missedChecks },
      ...(market ? [{ of: "trades", queue: market.intake.failures }] : []),
    ];
    return queues.map(({ of, queue }) => ({
      of,
      metric: queue.metricApproximateNumberOfMessagesVisible({ period, statistic: MAXIMUM }),
    }));
  },
  "lake-failures": ({ stacks: { lake }, period }) =>
    Object.entries(lake.deliveries).map(([of, { deliveryStreamName: name }]) => ({
      of,
      metric: calculated(deliverySuccess(name, period), (m) => `100 * (1 - ${m})`, of, period),
    })),
  "lake-freshness": ({ config, stacks: { lake }, period }) =>
    Object.entries(lake.deliveries).map(([of, { deliveryStreamName: name }]) => ({
      of,
      metric: calculated(deliveryFreshness(name, { period }), (m) => `${m} / ${config.lake.bufferSeconds}`, of, period),
    })),
  "lake-compactions": ({ config, stacks: { operations }, period }) => [
    { metric: compactions(operations, operations.task.log, config.name, period) },
  ],
  "feature-check-errors": ({ stacks, period }) => [
    { metric: stacks.features.checkFeatures.function.metricErrors({ period, statistic: SUM }) },
  ],
  "device-admission-errors": ({ stacks, period }) => [
    { metric: stacks.ingestion.admitDevice.function.metricErrors({ period, statistic: SUM }) },
  ],
  "rest-errors": ({ stacks, period }) => [
    { metric: stacks.serving.rest.api.metricServerError({ period, statistic: SUM }) },
  ],
  "rest-latency": ({ stacks, period }) => [
    { metric: stacks.serving.rest.api.metricLatency({ period, statistic: "p99" }) },
  ],
  "undelivered-trades": ({ stacks: { market }, period }) =>
    market ? [{ metric: failedInvocations(market.intake.eventBusName, market.intake.ruleName, period) }] : [],
  "waiting-trades": ({ stacks: { market }, period }) =>
    market ? [{ metric: market.intake.queue.metricApproximateAgeOfOldestMessage({ period, statistic: MAXIMUM }) }] : [],
};
