import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { runningPipelineNames } from "../../config/pipelines.ts";
import { alarms as table } from "../../domain/alarms.ts";
import { dashboards, type Graph } from "../../domain/dashboards.ts";
import { metrics } from "../../domain/metrics.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import type { Compacted } from "../../processor/commands/compact/compact.ts";
import { resourcesOf, synthesised, type Synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;

interface MetricStat {
  readonly Metric: { readonly Namespace: string; readonly MetricName: string };
}
interface Alarm {
  readonly AlarmName: string;
  readonly AlarmDescription: string;
  readonly AlarmActions?: unknown[];
  readonly OKActions?: unknown[];
  readonly Namespace?: string;
  readonly MetricName?: string;
  readonly Metrics?: { readonly MetricStat?: MetricStat }[];
  readonly EvaluationPeriods: number;
  readonly Period?: number;
}
interface CompositeAlarm {
  readonly AlarmName: string;
  readonly AlarmDescription: string;
  readonly AlarmRule: unknown;
  readonly AlarmActions?: unknown[];
  readonly ActionsSuppressor?: unknown;
  readonly ActionsSuppressorWaitPeriod?: number;
  readonly ActionsSuppressorExtensionPeriod?: number;
}

/**
 * What services report without being asked, from their documentation:
 * https://docs.aws.amazon.com/msk/latest/developerguide/serverless-monitoring.html
 * https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-ECS.html
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
 * https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
 */
const reportedByServices: Readonly<Record<string, readonly string[]>> = {
  "AWS/Kafka": ["MessagesInPerSec", "SumOffsetLag", "MaxOffsetLag", "EstimatedMaxTimeLag"],
  "AWS/Firehose": ["DeliveryToS3.DataFreshness", "DeliveryToS3.Success"],
  "ECS/ContainerInsights": ["RunningTaskCount"],
  "AWS/SQS": ["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"],
  "AWS/Lambda": ["Errors"],
  "AWS/ApiGateway": ["5XXError", "Latency"],
  "AWS/Events": ["FailedInvocations"],
};

describe.each(["dev", "staging", "prod"] as const)("the alarms of %s", (env) => {
  const prefix = `millrace-${env}-`;
  let platform: Synthesised;
  let own: Alarm[];
  let composites: CompositeAlarm[];
  const topicOf = (actions: readonly unknown[] | undefined): string =>
    /Topicpages|Topictickets/.exec(JSON.stringify(actions))?.[0].replace("Topic", "") ?? "none";

  beforeAll(async () => {
    platform = await synthesised(env);
    const of = <T>(type: string): T[] =>
      resourcesOf(platform, type).map(({ resource }) => resource.Properties as unknown as T);
    // Auto scaling makes alarms of its own.
    own = of<Alarm>("AWS::CloudWatch::Alarm").filter(({ AlarmName }) => AlarmName?.startsWith(prefix));
    composites = of<CompositeAlarm>("AWS::CloudWatch::CompositeAlarm");
  }, LIMIT_MS);

  test("are those of the table, each with its severity and runbook", () => {
    const page = environment(env).alarms.runbooksUrl ?? "docs/runbooks";
    for (const { AlarmName, AlarmDescription } of own) {
      const name = AlarmName.slice(prefix.length);
      const [spec] = table
        .filter((each) => name === each.name || name.startsWith(`${each.name}-`))
        .toSorted((a, b) => b.name.length - a.name.length);
      expect([name, spec?.severity, AlarmDescription]).toEqual([
        name,
        expect.any(String),
        expect.stringMatching(new RegExp(`^${spec?.severity}: .+ Affects: .+ Runbook: ${page}/${spec?.runbook}\\.md$`)),
      ]);
    }
    const wanted = existingWhere(table, runningPipelineNames(environment(env)));
    const missing = wanted.filter(
      ({ name, service }) => service && !own.some(({ AlarmName }) => AlarmName.startsWith(prefix + name)),
    );
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  test("look at metrics that something reports", () => {
    const filters = resourcesOf(platform, "AWS::Logs::MetricFilter").flatMap(({ resource }) =>
      (resource.Properties["MetricTransformations"] as { MetricNamespace: string; MetricName: string }[]).map(
        ({ MetricNamespace, MetricName }) => `${MetricNamespace} ${MetricName}`,
      ),
    );
    const unknown = own.flatMap(({ AlarmName, Namespace, MetricName, Metrics }) => {
      const seen = Metrics?.flatMap(({ MetricStat }) => (MetricStat ? [MetricStat.Metric] : [])) ?? [
        { Namespace: Namespace!, MetricName: MetricName! },
      ];
      expect(seen.length).toBeGreaterThan(0);
      return seen
        .filter((metric) => {
          if (metric.Namespace === "Millrace") return !Object.hasOwn(metrics, metric.MetricName);
          if (metric.Namespace === "Millrace/Logs") return !filters.includes(`Millrace/Logs ${metric.MetricName}`);
          return !reportedByServices[metric.Namespace]?.includes(metric.MetricName);
        })
        .map((metric) => `${AlarmName}: ${metric.Namespace} ${metric.MetricName}`);
    });
    expect(unknown).toEqual([]);
  });

  // https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create-alarm-on-metric-math-expression.html
  test("calculate with ten metrics at most", () => {
    const tooMany = own.filter(({ Metrics = [] }) => Metrics.filter(({ MetricStat }) => MetricStat).length > 10);
    expect(tooMany.map(({ AlarmName }) => AlarmName)).toEqual([]);
  });

  test("go to the pages or to the tickets, by severity, when they come on and when they clear", () => {
    const acting = [...own, ...composites].filter(({ AlarmActions }) => AlarmActions !== undefined);
    expect(acting.length).toBeGreaterThan(20);
    for (const { AlarmName, AlarmDescription, AlarmActions } of acting) {
      const severity = AlarmDescription.split(":")[0]!;
      expect([AlarmName, topicOf(AlarmActions)]).toEqual([
        AlarmName,
        { CRITICAL: "pages", HIGH: "pages", MEDIUM: "tickets", LOW: "tickets" }[severity],
      ]);
    }
    expect(own.map(({ AlarmActions, OKActions }) => topicOf(AlarmActions) === topicOf(OKActions))).not.toContain(false);
  });

  test("that others explain act through a composite alarm, which an outage keeps quiet", () => {
    const outage = composites.find(({ AlarmName }) => AlarmName === `${prefix}outage`)!;
    expect(outage.AlarmActions).toBeUndefined();
    // Every service that the stream needs is in it.
    for (const program of ["sensor", "live", "bridge-0"])
      expect(JSON.stringify(outage.AlarmRule)).toMatch(new RegExp(`Alarmprogramdown${program.replace("-", "")}`));
    for (const name of ["no-input-sensor", "behind-sensor", "lag-sensor", "latency-sensor", "completeness-sensor"]) {
      expect([name, own.find(({ AlarmName }) => AlarmName === prefix + name)?.AlarmActions]).toEqual([name, undefined]);
      const composite = composites.find(({ AlarmName }) => AlarmName === `${prefix}${name}-unexplained`)!;
      expect(topicOf(composite.AlarmActions)).toBe("pages");
      expect(JSON.stringify(composite.ActionsSuppressor)).toContain("Alarmoutage");
      expect(composite).toMatchObject({ ActionsSuppressorWaitPeriod: 120, ActionsSuppressorExtensionPeriod: 300 });
      // A stopped partition raises them, too, and is told of by itself.
      expect(JSON.stringify(composite.AlarmRule)).toMatch(/NOT.*Alarmpartitionstoppedsensor/);
    }
    const silent = own.filter(
      ({ AlarmName, AlarmActions }) =>
        AlarmActions === undefined &&
        !composites.some(
          (composite) =>
            composite.AlarmActions && AlarmName.startsWith(composite.AlarmName.replace(/-unexplained$/, "")),
        ),
    );
    expect(silent.map(({ AlarmName }) => AlarmName)).toEqual([]);
  });

  test("are evaluated over no longer than CloudWatch can: a day, in periods of whole minutes", () => {
    for (const { AlarmName, Period, EvaluationPeriods } of own)
      if (Period !== undefined)
        expect([AlarmName, Period % 60, Period * EvaluationPeriods <= 86_400]).toEqual([AlarmName, 0, true]);
  });

  test("of the lake's small files counts what the command prints", () => {
    const alarm = own.find(({ AlarmName }) => AlarmName === `${prefix}lake-not-compacted`)!;
    expect(alarm).toMatchObject({
      Period: 3_600,
      EvaluationPeriods: 3,
      Threshold: 1,
      Statistic: "Sum",
      ComparisonOperator: "LessThanThreshold",
      TreatMissingData: "breaching",
    });
    const filter = resourcesOf(platform, "AWS::Logs::MetricFilter").find(({ resource: { Properties } }) =>
      JSON.stringify(Properties["MetricTransformations"]).includes(`"${alarm.MetricName}"`),
    )!;
    const task = resourcesOf(platform, "AWS::ECS::TaskDefinition").find(
      ({ resource: { Properties } }) => Properties["Family"] === `${prefix}ops`,
    )!;
    // The log that the task writes to, and a line such as {"merged":2,"sources":24,"deleted":0,"undone":0}.
    const { Ref: log } = filter.resource.Properties["LogGroupName"] as { Ref: string };
    expect(JSON.stringify(task.resource.Properties["ContainerDefinitions"])).toContain(
      `"awslogs-group":{"Ref":"${log}"}`,
    );
    // https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html: numbers in JSON.
    const none = { merged: 0, sources: 0, deleted: 0, undone: 0 } satisfies Compacted;
    const [, field, least] = /^\{ \$\.(\w+) >= (\d+) \}$/.exec(String(filter.resource.Properties["FilterPattern"]))!;
    expect([field! in none, Number(least)]).toEqual([true, 0]);
  });

  test("are drawn in four dashboards, whose graphs say what good looks like", () => {
    const made = resourcesOf(platform, "AWS::CloudWatch::Dashboard").map(({ resource }) => ({
      name: resource.Properties["DashboardName"],
      widgets: widgetsOf(resource.Properties["DashboardBody"]),
    }));
    expect(made.map(({ name }) => name)).toEqual(Object.keys(dashboards).map((name) => prefix + name));
    for (const { name, widgets } of made) {
      const graphs = widgets.filter(({ type }) => type === "metric");
      const texts = widgets.filter(({ type }) => type === "text");
      expect([name, graphs.length > 1, texts.length]).toEqual([name, true, graphs.length]);
      for (const { properties } of texts) expect(properties.markdown).toMatch(/^Good: .+\.$/);
      for (const { properties } of graphs) {
        const graph = Object.values<readonly Graph[]>(dashboards)
          .flat()
          .find(({ title }) => title === properties.title)!;
        const { threshold } = table.find((spec) => spec.name === graph.alarm) ?? {};
        expect([graph.title, properties.yAxis?.left?.label, properties.annotations?.horizontal?.[0]?.value]).toEqual([
          graph.title,
          graph.unit,
          threshold,
        ]);
      }
    }
  });
});

interface Widget {
  readonly type: "metric" | "text";
  readonly properties: {
    readonly title?: string;
    readonly markdown?: string;
    readonly yAxis?: { readonly left?: { readonly label?: string } };
    readonly annotations?: { readonly horizontal?: readonly { readonly value: number }[] };
  };
}

/** The widgets of a dashboard's body, with references of the template as text. */
function widgetsOf(body: unknown): Widget[] {
  const [, parts] = (body as { readonly "Fn::Join": [string, unknown[]] })["Fn::Join"];
  const text = parts.map((part) => (typeof part === "string" ? part : "reference")).join("");
  return (JSON.parse(text) as { widgets: Widget[] }).widgets;
}
