import { aws_cloudwatch as cloudwatch, Duration } from "aws-cdk-lib";
import { runningPipelines } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import type { MetricOf } from "../../domain/metrics.ts";
import { PARTITION_STOPPED } from "../../domain/names.ts";
import { topics } from "../../domain/topics.ts";
import {
  alarmLines,
  deliveryFreshness,
  failedInvocations,
  messagesIn,
  reported,
  runningTasks,
  timeLag,
} from "../constructs/metrics.ts";
import type { AuditStack } from "../stacks/audit.ts";
import type { DeliveryStack } from "../stacks/delivery.ts";
import type { FeaturesStack } from "../stacks/features.ts";
import type { IngestionStack } from "../stacks/ingestion.ts";
import type { LakeStack } from "../stacks/lake.ts";
import type { MarketStack } from "../stacks/market.ts";
import type { ProcessingStack } from "../stacks/processing.ts";
import type { ServingStack } from "../stacks/serving.ts";
import type { StreamingStack } from "../stacks/streaming.ts";

export interface MonitoredStacks {
  readonly streaming: StreamingStack;
  readonly ingestion: IngestionStack;
  readonly processing: ProcessingStack;
  readonly lake: LakeStack;
  readonly delivery: DeliveryStack;
  readonly features: FeaturesStack;
  readonly audit: AuditStack;
  readonly serving: ServingStack;
  /** Where the market runs. */
  readonly market: MarketStack | undefined;
}

export interface AlarmSpec {
  readonly name: string;
  /** What it means, and what to do first. */
  readonly description: string;
  readonly metric: cloudwatch.IMetric;
  readonly threshold: number;
  readonly evaluationPeriods: number;
  /** What no data means: `breaching` where a healthy environment always has some. */
  readonly missing: "breaching" | "fine";
  /** @default greater than the threshold */
  readonly comparison?: cloudwatch.ComparisonOperator;
}

/** Seconds that results may be behind before somebody should look. */
const LAG_SECONDS = 60;

/** The alarms of an environment. */
export function alarms(config: Environment, stacks: MonitoredStacks): AlarmSpec[] {
  return [
    ...streamAlarms(config, stacks),
    ...serviceAlarms(stacks),
    ...partitionAlarms(config, stacks),
    ...functionAlarms(stacks),
    ...lakeAlarms(config, stacks),
    ...apiAlarms(stacks),
    ...auditAlarms(config),
    ...(stacks.market ? marketAlarms(stacks.market, stacks.streaming) : []),
  ];
}

function streamAlarms(config: Environment, { streaming }: MonitoredStacks): AlarmSpec[] {
  const { clusterName } = streaming;
  return [
    {
      name: "dead-letters",
      description: "records could not be processed; read the error-code header of the newest in dead-letter",
      metric: messagesIn(clusterName, topics.deadLetter.name),
      threshold: 0,
      evaluationPeriods: 1,
      missing: "fine",
    },
    {
      name: "late-readings",
      description: "readings missed their windows for a quarter of an hour; a device's clock or a long outage",
      metric: messagesIn(clusterName, topics.late.name),
      threshold: 1,
      evaluationPeriods: 15,
      missing: "fine",
    },
    ...runningPipelines(config).map(({ name, input, consumerGroup }): AlarmSpec => ({
      name: `lag-${name}`,
      description: `the ${name} pipeline is behind, or its group is not stable (the metric is missing then)`,
      metric: timeLag(clusterName, consumerGroup, topics[input].name),
      threshold: LAG_SECONDS,
      evaluationPeriods: 5,
      missing: "breaching",
    })),
    {
      name: "no-input",
      description: "nothing arrives in imu-data-all, not even the bridge's ticks: the bridge is down",
      metric: messagesIn(clusterName, topics.imuData.name),
      threshold: 0,
      evaluationPeriods: 3,
      missing: "breaching",
      comparison: cloudwatch.ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD,
    },
  ];
}

function serviceAlarms({ processing, ingestion, serving }: MonitoredStacks): AlarmSpec[] {
  const { clusterName } = processing.cluster;
  const services = {
    ...processing.services,
    live: serving.live,
    ...Object.fromEntries(ingestion.bridges.map((bridge, index) => [`bridge-${index}`, bridge])),
  };
  return Object.entries(services)
    .filter(([, made]) => made !== undefined)
    .map(([name, made]) => ({
      name: `running-${name}`,
      description: `no task of ${name} runs; look at the service's events and its log`,
      metric: runningTasks(clusterName, made.service.serviceName),
      threshold: 1,
      evaluationPeriods: 5,
      missing: "breaching" as const,
      comparison: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
    }));
}

function partitionAlarms(config: Environment, { processing }: MonitoredStacks): AlarmSpec[] {
  return Object.entries(processing.services)
    .filter(([, made]) => made !== undefined)
    .map(([name, made]) => ({
      name: `partition-stopped-${name}`,
      description:
        `CRITICAL: a partition of the ${name} pipeline has stopped, or begins again and again without a commit; ` +
        "its log and `npm run recover` say why",
      metric: alarmLines(made, made.log, PARTITION_STOPPED, `${config.name}-${name}`),
      threshold: 0,
      evaluationPeriods: 1,
      missing: "fine" as const,
    }));
}

function functionAlarms({ delivery, features, audit, serving, ingestion }: MonitoredStacks): AlarmSpec[] {
  const consumers = [delivery.writeLake, features.writeFeatures, audit.auditOutput, ...serving.stores];
  const queues = [
    ...consumers.map(({ failures, node }) => ({ name: node.id.replace("Consumer-", ""), queue: failures })),
    { name: "iot-rules", queue: ingestion.ruleFailures },
    { name: "feature-checks", queue: features.missedChecks },
  ];
  return [
    ...queues.map(({ name, queue }): AlarmSpec => ({
      name: `failures-${name}`,
      description: `${name} gave something up; the queue says which records`,
      metric: queue.metricApproximateNumberOfMessagesVisible({
        period: Duration.minutes(1),
        statistic: cloudwatch.Stats.MAXIMUM,
      }),
      threshold: 0,
      evaluationPeriods: 1,
      missing: "fine",
    })),
    {
      name: "features-wrong",
      description: "the check of the feature store failed: its log says what differs",
      metric: features.checkFeatures.function.metricErrors({
        period: Duration.minutes(5),
        statistic: cloudwatch.Stats.SUM,
      }),
      threshold: 0,
      evaluationPeriods: 2,
      missing: "fine",
    },
    {
      name: "devices-refused",
      description: "the pre-provisioning hook fails: devices can't register",
      metric: ingestion.admitDevice.function.metricErrors({
        period: Duration.minutes(5),
        statistic: cloudwatch.Stats.SUM,
      }),
      threshold: 0,
      evaluationPeriods: 1,
      missing: "fine",
    },
  ];
}

function lakeAlarms(config: Environment, { lake }: MonitoredStacks): AlarmSpec[] {
  return Object.entries(lake.deliveries).map(([table, { name }]) => ({
    name: `lake-freshness-${table}`,
    description: `the oldest row of ${table} that is not in the lake yet is older than three buffers`,
    metric: deliveryFreshness(name, { period: Duration.minutes(5) }),
    threshold: 3 * config.lake.bufferSeconds,
    evaluationPeriods: 3,
    missing: "fine" as const,
  }));
}

function apiAlarms({ serving }: MonitoredStacks): AlarmSpec[] {
  const { api } = serving.rest;
  return [
    {
      name: "rest-errors",
      description: "the REST API answers with server errors",
      metric: api.metricServerError({ period: Duration.minutes(5), statistic: cloudwatch.Stats.SUM }),
      threshold: 5,
      evaluationPeriods: 2,
      missing: "fine",
    },
    {
      name: "rest-slow",
      description: "one in a hundred REST answers takes more than two seconds",
      metric: api.metricLatency({ period: Duration.minutes(5), statistic: "p99" }),
      threshold: 2_000,
      evaluationPeriods: 3,
      missing: "fine",
    },
  ];
}

/** What an outsider sees who reads the outputs. */
function auditAlarms(config: Environment): AlarmSpec[] {
  const found = (metric: MetricOf<"counter">): cloudwatch.Metric =>
    reported(config.name, "audit-output", metric, Duration.minutes(5));
  return [
    {
      name: "repeated-ids",
      description:
        "for a quarter of an hour outputs came twice: a task begins again and again, whose aborted transactions the " +
        "audit reads, or a topic has two writers",
      metric: found("audit-output.repeated-ids"),
      threshold: 0,
      evaluationPeriods: 3,
      missing: "fine",
    },
    {
      name: "unreadable-outputs",
      description: "outputs do not follow their contract; the log of audit-output says which",
      metric: found("audit-output.unreadable"),
      threshold: 0,
      evaluationPeriods: 1,
      missing: "fine",
    },
    ...runningPipelines(config).map(({ name }): AlarmSpec => ({
      name: `missing-windows-${name}`,
      description: `windows of the ${name} pipeline never came, though those before and after them did`,
      metric: found(`audit-output.${name}-missing-windows`),
      threshold: 0,
      evaluationPeriods: 1,
      missing: "fine",
    })),
  ];
}

/** Of the way in of trades, and of those that came too late. */
function marketAlarms({ bus }: MarketStack, { clusterName }: StreamingStack): AlarmSpec[] {
  const period = Duration.minutes(1);
  return [
    {
      name: "failures-trades",
      description: "trades that could not be appended to Kafka are in the queue trades-failures; send them again",
      metric: bus.failures.metricApproximateNumberOfMessagesVisible({ period, statistic: cloudwatch.Stats.MAXIMUM }),
      threshold: 0,
      evaluationPeriods: 1,
      missing: "fine",
    },
    {
      name: "trades-undelivered",
      description:
        "the rule could not hand trades to the queue: its policy, or that of the queue's key, is not as it was",
      metric: failedInvocations(bus.name, bus.ruleName, period),
      threshold: 0,
      evaluationPeriods: 1,
      missing: "fine",
    },
    {
      name: "trades-waiting",
      description: "trades wait for Kafka for minutes: look at the log of produce-trades",
      metric: bus.trades.metricApproximateAgeOfOldestMessage({ period, statistic: cloudwatch.Stats.MAXIMUM }),
      threshold: LAG_SECONDS,
      evaluationPeriods: 5,
      missing: "fine",
    },
    {
      name: "late-trades",
      description: "trades missed their bars for a quarter of an hour; a producer's clock or a long outage",
      metric: messagesIn(clusterName, topics.marketLate.name),
      threshold: 1,
      evaluationPeriods: 15,
      missing: "fine",
    },
  ];
}
