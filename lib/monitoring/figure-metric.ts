import { aws_cloudwatch as cloudwatch, type Duration } from "aws-cdk-lib";
import type { Figure } from "../../domain/alarm-spec.ts";
import { bridgeCodes, type DeadLetterCode } from "../../domain/errors.ts";
import { seriesParts, type MetricName, type Series } from "../../domain/metrics.ts";
import { expressionId, reported } from "../constructs/metrics.ts";

/** Programs whose metrics are in CloudWatch, as the first part of a metric's name. */
const REPORTING = ["audit-output", "bridge", "live", "processor"];
/** Of the metrics that every program has: those of the programs that run all the time. */
const RUNNING = ["bridge", "live", "processor"];

type Metrics = Readonly<Record<string, cloudwatch.Metric>>;

/** A figure in CloudWatch; undefined where the programs that report it do not do so there. */
export function figureMetric(
  figure: Figure,
  environment: string,
  period: Duration,
  label?: string,
): cloudwatch.IMetric | undefined {
  const of = (statistic: string, ...all: readonly (MetricName | Series)[]): Metrics =>
    Object.fromEntries(
      all.filter(isEverReported).flatMap((series) => {
        const first = series.split(".")[0]!;
        const programs = first === "program" ? RUNNING : REPORTING.filter((program) => program === first);
        return programs.map((program) => [
          expressionId(first === "program" ? `${program}.${series}` : series),
          reported(environment, program, series, { period, statistic, label: label ?? series }),
        ]);
      }),
    );
  const together = (metrics: Metrics, expression: (ids: readonly string[]) => string): cloudwatch.IMetric | undefined =>
    Object.keys(metrics).length <= 1
      ? Object.values(metrics)[0]
      : new cloudwatch.MathExpression({
          expression: expression(Object.keys(metrics)),
          usingMetrics: metrics,
          label: label ?? "",
          period,
        });
  const highest = (ids: readonly string[]): string => `MAX([${ids.join(", ")}])`;
  const { SUM } = cloudwatch.Stats;
  switch (figure.of) {
    case "growth":
      return together(of(SUM, ...figure.counters), (ids) => ids.map((id) => `FILL(${id}, 0)`).join(" + "));
    case "gauge":
      return together(of(figure.statistic, figure.gauge), highest);
    case "p99":
      return together(of(cloudwatch.Stats.percentile(99), figure.timing), highest);
    case "share":
      // A part that never grew is not reported.
      return together(of(SUM, figure.part, figure.whole), ([part, whole]) => `100 * FILL(${part}, 0) / ${whole}`);
  }
}

/** Not the bridge's dead letters of codes that only processors give: an alarm takes ten metrics at most. */
function isEverReported(series: MetricName | Series): boolean {
  const { name, label } = seriesParts(series as Series);
  return name !== "bridge.dead-letters" || label === undefined || bridgeCodes.includes(label.value as DeadLetterCode);
}
