import type { CloudWatchClient, GetMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { expect, test } from "@jest/globals";
import { alarms } from "../../domain/alarms.ts";
import { newestMinutes, type Query } from "../../lambda/read-components/cloudwatch.ts";
import { componentOf, queriesOf, raisedAlarms, type ServiceState } from "../../lambda/read-components/components.ts";
import { metricQueries, metricsText } from "../../lambda/read-components/metrics-text.ts";

const service = (name: string, more: ServiceState["service"] = {}): ServiceState => ({
  name,
  service: { status: "ACTIVE", runningCount: 1, desiredCount: 1, ...more },
});

test("a program is as its worst service, and says what is wrong and how often its tasks failed", () => {
  const services = [
    service("bridge-0", { deployments: [{ failedTasks: 2 }] }),
    service("bridge-1", {
      runningCount: 0,
      desiredCount: 1,
      deployments: [{ rolloutState: "FAILED", rolloutStateReason: "tasks failed to start", failedTasks: 3 }],
    }),
    { name: "bridge-2", service: undefined },
  ];
  expect(componentOf("bridge", services, [])).toMatchObject({
    name: "bridge",
    kind: "program",
    state: "1 of 2 tasks",
    status: "down",
    restarts: 5,
    problems: ["bridge-1: 0 of 1 tasks run", "bridge-1: tasks failed to start", "bridge-2: ECS has no such service"],
  });
  expect(componentOf("live", [service("live", { runningCount: 1, desiredCount: 2 })], []).status).toBe("degraded");
  expect(componentOf("live", [service("live")], [])).toMatchObject({ status: "ok", problems: [] });
});

test("figures are of the newest minute: rates a second, gauges as they are, counters as they grew", () => {
  const queries = queriesOf("bridge");
  const values = queries.map(({ metric }): number | null => {
    if (metric === "bridge.messages") return 600;
    if (metric === "bridge.dead-letters") return 4;
    if (metric === "bridge.in-flight") return 7;
    // A minute of which half was a core's: 30 s of CPU.
    return metric === "program.cpu-time" ? 30_000 : null;
  });
  const figures = componentOf("bridge", [service("bridge-0")], values).figures;
  expect(figures).toEqual([
    { name: "messages", unit: "/s", value: 10 },
    { name: "dead letters in the last minute", unit: "", value: 4 },
    { name: "in flight", unit: "messages", value: 7 },
    { name: "publish p99", unit: "ms", value: null },
    { name: "CPU", unit: "% of a core", value: 50 },
    { name: "memory", unit: "bytes", value: null },
  ]);
});

test("alarms that are on are those of the table, once each, with what explains them", () => {
  const on = new Map([
    ["program-down-live", 2_000],
    ["program-down-bridge-0", 1_000],
    ["no-input-sensor", 3_000],
    ["somebody-elses", 4_000],
  ]);
  const raised = raisedAlarms(alarms, on);
  expect(raised.map(({ name, sinceMs, explainedBy }) => [name, sinceMs, explainedBy])).toEqual(
    expect.arrayContaining([
      ["program-down", 1_000, null],
      ["no-input-sensor", 3_000, "program-down"],
    ]),
  );
  expect(raised).toHaveLength(2);
  expect(raised.find(({ name }) => name === "no-input-sensor")).toMatchObject({
    severity: "CRITICAL",
    components: ["processor"],
  });
});

// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html: 500 queries at once.
test("CloudWatch is asked for whole minutes, by the name that the programs' lines have there", async () => {
  const sent: GetMetricDataCommand["input"][] = [];
  const cloudwatch = {
    send: (command: GetMetricDataCommand) => {
      sent.push(command.input);
      const [first] = command.input.MetricDataQueries!;
      return Promise.resolve({ MetricDataResults: [{ Id: first!.Id, Values: [5, 4] }] });
    },
  } as unknown as CloudWatchClient;
  const query: Query = { program: "live", metric: "live.frames", statistic: "Sum" };
  const values = await newestMinutes(cloudwatch, "dev", Array<Query>(501).fill(query), 600_000 + 59_999);
  expect(sent.map(({ MetricDataQueries }) => MetricDataQueries!.length)).toEqual([500, 1]);
  expect(sent[0]).toMatchObject({
    StartTime: new Date(420_000),
    EndTime: new Date(600_000),
    ScanBy: "TimestampDescending",
  });
  expect(sent[0]!.MetricDataQueries![0]!.MetricStat).toEqual({
    Metric: {
      Namespace: "Millrace",
      MetricName: "live.frames",
      Dimensions: [
        { Name: "environment", Value: "dev" },
        { Name: "program", Value: "live" },
      ],
    },
    Period: 60,
    Stat: "Sum",
  });
  expect([values[0], values[1], values[500]]).toEqual([5, null, 5]);
});

test("the last minute is Prometheus' text, in its units, without what was not reported", async () => {
  const queries: Query[] = [
    { program: "bridge", metric: "bridge.messages", statistic: "Sum" },
    { program: "bridge", metric: "bridge.publish-latency", statistic: "p99" },
    { program: "live", metric: "program.rss", statistic: "Maximum" },
    { program: "bridge", metric: "bridge.in-flight", statistic: "Maximum" },
  ];
  const text = await metricsText(queries, [600, 25, 1_000, null]);
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("# HELP"));
  expect(lines).toEqual([
    "# TYPE millrace_bridge_messages_per_minute gauge",
    'millrace_bridge_messages_per_minute{program="bridge"} 600',
    "# TYPE millrace_bridge_publish_latency_seconds gauge",
    'millrace_bridge_publish_latency_seconds{program="bridge",quantile="0.99"} 0.025',
    "# TYPE millrace_program_rss_bytes gauge",
    'millrace_program_rss_bytes{program="live"} 1000',
  ]);
  const asked = metricQueries();
  expect(asked.filter(({ metric }) => metric === "program.rss").map(({ program }) => program)).toEqual([
    "bridge",
    "live",
    "processor",
  ]);
  // Metrics of what runs on this machine alone are not in CloudWatch.
  expect(asked.filter(({ metric }) => /^(simulator|gateway|firehose)\./.test(metric))).toEqual([]);
});
