import { aws_cloudwatch as cloudwatch, type Duration } from "aws-cdk-lib";
import type { Figure } from "../../domain/alarm-spec.ts";
import type { MetricName, Series } from "../../domain/metrics.ts";
import { expressionId, reported } from "../constructs/metrics.ts";

/** Programs whose metrics are in CloudWatch, as the first part of a metric's name. */
const REPORTING = ["audit-output"];

/** A figure in CloudWatch; undefined where the programs that report it do not do so there. */
export function figureMetric(
  figure: Figure,
  environment: string,
  period: Duration,
  label?: string,
): cloudwatch.IMetric | undefined {
  const of = (name: MetricName | Series, statistic: string): cloudwatch.Metric[] => {
    const program = name.split(".")[0]!;
    return REPORTING.includes(program)
      ? [reported(environment, program, name, { period, statistic, label: label ?? name })]
      : [];
  };
  const { SUM } = cloudwatch.Stats;
  switch (figure.of) {
    case "growth": {
      const counters = figure.counters.flatMap((name) => of(name, SUM));
      if (counters.length <= 1) return counters[0];
      const usingMetrics = Object.fromEntries(counters.map((metric) => [expressionId(metric.metricName), metric]));
      const expression = Object.keys(usingMetrics)
        .map((id) => `FILL(${id}, 0)`)
        .join(" + ");
      return new cloudwatch.MathExpression({ expression, usingMetrics, label: label ?? "", period });
    }
    case "gauge":
      return of(figure.gauge, figure.statistic)[0];
    case "p99":
      return of(figure.timing, cloudwatch.Stats.percentile(99))[0];
    case "share": {
      const [part, whole] = [...of(figure.part, SUM), ...of(figure.whole, SUM)];
      if (!part || !whole) return undefined;
      const [partId, wholeId] = [part, whole].map(({ metricName }) => expressionId(metricName)) as [string, string];
      return new cloudwatch.MathExpression({
        expression: `100 * ${partId} / ${wholeId}`,
        usingMetrics: { [partId]: part, [wholeId]: whole },
        label: label ?? figure.part,
        period,
      });
    }
  }
}
