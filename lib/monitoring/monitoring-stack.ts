import {
  aws_cloudwatch as cloudwatch,
  aws_cloudwatch_actions as actions,
  aws_iam as iam,
  aws_sns as sns,
  aws_sns_subscriptions as subscriptions,
  CfnOutput,
} from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { resourceName } from "../names.ts";
import type { SecurityStack } from "../stacks/security.ts";
import { alarms, type MonitoredStacks } from "./alarms.ts";
import { dashboardRows } from "./dashboard.ts";

/** The alarm topic, the alarms, and a dashboard of the whole path. */
export class MonitoringStack extends MillraceStack {
  readonly topic: sns.Topic;

  constructor(
    scope: Construct,
    id: string,
    config: Environment,
    { security, ...monitored }: MonitoredStacks & { readonly security: SecurityStack },
  ) {
    super(scope, id, { config, stateful: false, description: "dashboard, alarms, alarm topic" });
    this.topic = new sns.Topic(this, "Alarms", {
      topicName: resourceName(config, "alarms"),
      displayName: `Millrace ${config.name}`,
      masterKey: security.keys.operations,
      enforceSSL: true,
    });
    this.topic.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: "AlarmsOfThisAccount",
        principals: [new iam.ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { "aws:SourceAccount": this.account } },
      }),
    );
    if (config.alarms.email !== null)
      this.topic.addSubscription(new subscriptions.EmailSubscription(config.alarms.email));
    const action = new actions.SnsAction(this.topic);
    for (const { name, description, metric, threshold, evaluationPeriods, missing, comparison } of alarms(
      config,
      monitored,
    )) {
      const alarm = new cloudwatch.Alarm(this, `Alarm-${name}`, {
        alarmName: resourceName(config, name),
        alarmDescription: description,
        metric,
        threshold,
        evaluationPeriods,
        comparisonOperator: comparison ?? cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treatMissingData:
          missing === "breaching" ? cloudwatch.TreatMissingData.BREACHING : cloudwatch.TreatMissingData.NOT_BREACHING,
      });
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
    }
    new cloudwatch.Dashboard(this, "Dashboard", {
      dashboardName: resourceName(config, "overview"),
      widgets: dashboardRows(config, monitored),
    });
    new CfnOutput(this, "AlarmTopic", { value: this.topic.topicArn, description: "subscribe to it to be told" });
  }
}
