import {
  aws_applicationautoscaling as autoscaling,
  type aws_cloudwatch as cloudwatch,
  type aws_ecs as ecs,
  Duration,
} from "aws-cdk-lib";

// A service with several policies of target tracking adds tasks when one of them wants it, and takes tasks away only
// when all of them agree. None of them takes tasks away while its metric has no data.
// https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html

/** A new task takes a minute or two until it works. */
const SCALE_OUT_COOLDOWN = Duration.minutes(3);
/** Taking a task away moves its partitions; a short lull is no reason for that. */
const SCALE_IN_COOLDOWN = Duration.minutes(10);

/** Bounds of a service's number of tasks, as the config has them. */
export function tasks({ minTasks, maxTasks }: { readonly minTasks: number; readonly maxTasks: number }): {
  readonly minCapacity: number;
  readonly maxCapacity: number;
} {
  return { minCapacity: minTasks, maxCapacity: maxTasks };
}

/** Keeps the CPU of the tasks at a share of what they have. */
export function scaleByCpu(scaling: ecs.ScalableTaskCount, targetUtilizationPercent: number): void {
  scaling.scaleOnCpuUtilization("Cpu", {
    targetUtilizationPercent,
    scaleInCooldown: SCALE_IN_COOLDOWN,
    scaleOutCooldown: SCALE_OUT_COOLDOWN,
  });
}

/** Keeps a metric, which falls as tasks are added, at a value. The CDK's own construct takes no expression. */
export function scaleByMetric(
  scaling: ecs.ScalableTaskCount,
  id: string,
  { metric, targetValue }: { readonly metric: cloudwatch.MathExpression; readonly targetValue: number },
): void {
  const target = scaling.node.findAll().find((child) => child instanceof autoscaling.CfnScalableTarget);
  if (!target) throw new Error(`${scaling.node.path} has no scalable target`);
  const { expression, usingMetrics } = metric;
  new autoscaling.CfnScalingPolicy(scaling, id, {
    policyName: `${scaling.node.path.replaceAll("/", "-")}-${id}`,
    policyType: "TargetTrackingScaling",
    scalingTargetId: target.ref,
    targetTrackingScalingPolicyConfiguration: {
      targetValue,
      scaleInCooldown: SCALE_IN_COOLDOWN.toSeconds(),
      scaleOutCooldown: SCALE_OUT_COOLDOWN.toSeconds(),
      customizedMetricSpecification: {
        metrics: [
          ...Object.entries(usingMetrics).map(([name, used]) => metricStat(name, used as cloudwatch.Metric)),
          { id: "value", expression, returnData: true },
        ],
      },
    },
  });
}

function metricStat(
  id: string,
  { namespace, metricName, dimensions = {}, statistic }: cloudwatch.Metric,
): autoscaling.CfnScalingPolicy.TargetTrackingMetricDataQueryProperty {
  return {
    id,
    returnData: false,
    metricStat: {
      stat: statistic,
      metric: {
        namespace,
        metricName,
        dimensions: Object.entries(dimensions).map(([name, value]) => ({ name, value: value as string })),
      },
    },
  };
}
