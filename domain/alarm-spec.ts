import type { MetricOf, SeriesOf } from "./metrics.ts";
import type { OfPipeline } from "./pipelines.ts";
import type { Milliseconds } from "./time.ts";

/** CRITICAL and HIGH page whoever is on call; MEDIUM and LOW become tickets. */
export const severities = ["CRITICAL", "HIGH", "MEDIUM", "LOW"] as const;
export type Severity = (typeof severities)[number];

/** Whether somebody is woken. */
export function pages(severity: Severity): boolean {
  return severity === "CRITICAL" || severity === "HIGH";
}

/** A metric, or one of its values where it has a label. */
type OneOf<K extends "counter" | "gauge"> = MetricOf<K> | SeriesOf<K>;

/** A figure of one period, from metrics of `domain/metrics.ts`. */
export type Figure =
  /** How much counters grew, all programs together. */
  | { readonly of: "growth"; readonly counters: readonly OneOf<"counter">[] }
  /** A gauge's highest value of the period, or its lowest, which it never fell below. Of all programs the highest. */
  | { readonly of: "gauge"; readonly gauge: OneOf<"gauge">; readonly statistic: "Maximum" | "Minimum" }
  /** A percentile of durations, of all programs the highest. */
  | { readonly of: "p99"; readonly timing: MetricOf<"timing"> }
  /** By how much one counter grew, in per cent of the other's growth. No value where that did not grow. */
  | { readonly of: "share"; readonly part: OneOf<"counter">; readonly whole: OneOf<"counter"> };

/**
 * What CloudWatch has from the services themselves, with the metric's place there. `lib/monitoring/service-metrics.ts`
 * has the resources of each, and with several of them one alarm for each.
 */
export const serviceMetrics = {
  "dead-letters": "records a minute: `AWS/Kafka` `MessagesInPerSec` of `dead-letter`",
  "late-records": "records (of any number of readings) a minute: `AWS/Kafka` `MessagesInPerSec` of the late topic",
  "input-records": "records a minute: `AWS/Kafka` `MessagesInPerSec` of the input topic",
  "output-records": "records a minute: `AWS/Kafka` `MessagesInPerSec` of the topic with windows or bars",
  "offset-lag": "`AWS/Kafka` `SumOffsetLag` of the pipeline's group; missing while it rebalances",
  "function-offset-lag": "`AWS/Kafka` `SumOffsetLag` of each function's group",
  "time-lag": "`AWS/Kafka` `EstimatedMaxTimeLag` of the pipeline's group; missing while it rebalances",
  "services-down": "1 where `ECS/ContainerInsights` `RunningTaskCount` of the service is 0",
  "service-cpu": "`AWS/ECS` `CPUUtilization` of each service",
  "stopped-partition-lines": "lines of the log with the field `alarm`, by a metric filter",
  "failure-queue": "`AWS/SQS` `ApproximateNumberOfMessagesVisible` of each on-failure queue",
  "lake-failures": "per cent: 1 less `AWS/Firehose` `DeliveryToS3.Success` of each stream",
  "lake-freshness": "in buffers of the stream: `AWS/Firehose` `DeliveryToS3.DataFreshness`",
  "lake-compactions": "lines of the operators' task's log that sum up a run of `npm run compact`, by a metric filter",
  "feature-check-errors": "`AWS/Lambda` `Errors` of `check-features`",
  "device-admission-errors": "`AWS/Lambda` `Errors` of the pre-provisioning hook",
  "rest-errors": "`AWS/ApiGateway` `5XXError`",
  "rest-latency": "`AWS/ApiGateway` `Latency`, p99",
  "undelivered-trades": "`AWS/Events` `FailedInvocations` of the rule",
  "waiting-trades": "`AWS/SQS` `ApproximateAgeOfOldestMessage` of the queue of trades",
} as const;
export type ServiceMetric = keyof typeof serviceMetrics;

/** An alarm, for CloudWatch and for `npm start`. */
export interface AlarmSpec extends OfPipeline {
  readonly name: string;
  readonly severity: Severity;
  /** What it means, as a sentence without its end. */
  readonly means: string;
  /** Who notices what. */
  readonly affects: string;
  /** The figure that `npm start` evaluates, and CloudWatch too where there is no `service`. */
  readonly figure?: Figure;
  /** The figure's counterpart among what the services of AWS report. */
  readonly service?: ServiceMetric;
  readonly comparison: ">" | "<" | "<=";
  readonly threshold: number;
  readonly unit: string;
  readonly periodMs: Milliseconds;
  /** Periods in a row that must breach. */
  readonly periods: number;
  /** What no value means: `breaching` where a healthy platform always has one. */
  readonly missing: "breaching" | "fine";
  /** Alarms whose outage explains this one: while one of them is on, this one is not told. */
  readonly suppressedBy?: readonly string[];
  /** Page in `docs/runbooks/`. */
  readonly runbook: string;
}
