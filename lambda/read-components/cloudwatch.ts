import {
  type CloudWatchClient,
  GetMetricDataCommand,
  paginateDescribeAlarms,
  type MetricDataQuery,
} from "@aws-sdk/client-cloudwatch";
import type { MetricName } from "../../domain/metrics.ts";
import { MINUTE, SECOND, type EpochMs } from "../../domain/time.ts";

/** Where EMF lines of programs become metrics. */
const NAMESPACE = "Millrace";
/** GetMetricData takes no more at once. */
const MAX_QUERIES = 500;
/** A minute is whole a while after it has ended: lines of the log become metrics. Older minutes stand in for it. */
const MINUTES = 3;

/** A figure of a minute that a program has reported. */
export interface Query {
  readonly program: string;
  readonly metric: MetricName;
  readonly statistic: "Sum" | "Maximum" | "p50" | "p95" | "p99";
}

/** The values of the newest whole minute that has one, in the order of the queries; null where none has. */
export async function newestMinutes(
  cloudwatch: Pick<CloudWatchClient, "send">,
  environment: string,
  queries: readonly Query[],
  nowMs: EpochMs,
): Promise<(number | null)[]> {
  const end = Math.floor(nowMs / MINUTE) * MINUTE;
  const values: (number | null)[] = queries.map(() => null);
  for (let from = 0; from < queries.length; from += MAX_QUERIES) {
    const asked = queries.slice(from, from + MAX_QUERIES);
    const { MetricDataResults = [] } = await cloudwatch.send(
      new GetMetricDataCommand({
        StartTime: new Date(end - MINUTES * MINUTE),
        EndTime: new Date(end),
        ScanBy: "TimestampDescending",
        MetricDataQueries: asked.map((query, i) => queryOf(environment, query, from + i)),
      }),
    );
    for (const { Id, Values = [] } of MetricDataResults) values[Number(Id?.slice(1))] = Values[0] ?? null;
  }
  return values;
}

function queryOf(environment: string, { program, metric, statistic }: Query, index: number): MetricDataQuery {
  return {
    Id: `m${index}`,
    MetricStat: {
      Metric: {
        Namespace: NAMESPACE,
        MetricName: metric,
        Dimensions: [
          { Name: "environment", Value: environment },
          { Name: "program", Value: program },
        ],
      },
      Period: MINUTE / SECOND,
      Stat: statistic,
    },
  };
}

/** Names of the environment's alarms that are on, without its prefix, and since when. */
export async function alarmsOn(cloudwatch: CloudWatchClient, prefix: string): Promise<Map<string, EpochMs>> {
  const on = new Map<string, EpochMs>();
  const pages = paginateDescribeAlarms(
    { client: cloudwatch },
    { AlarmNamePrefix: prefix, StateValue: "ALARM", AlarmTypes: ["MetricAlarm"] },
  );
  for await (const { MetricAlarms = [] } of pages)
    for (const { AlarmName, StateTransitionedTimestamp, StateUpdatedTimestamp } of MetricAlarms) {
      const since = StateTransitionedTimestamp ?? StateUpdatedTimestamp;
      if (AlarmName) on.set(AlarmName.slice(prefix.length), since?.getTime() ?? 0);
    }
  return on;
}
