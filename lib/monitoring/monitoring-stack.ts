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
import { pages, type AlarmSpec } from "../../domain/alarm-spec.ts";
import { dashboards, type DashboardName } from "../../domain/dashboards.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { resourceName, UNKNOWN_VERSION, VERSION_OUTPUT } from "../names.ts";
import { MonthlyBudget } from "../reusable/monthly-budget.ts";
import type { AccessStack } from "../stacks/access.ts";
import type { SecurityStack } from "../stacks/security.ts";
import { AlarmSet } from "./alarm-set.ts";
import { environmentAlarms } from "./alarms.ts";
import { dashboardRows } from "./dashboards.ts";
import type { MonitoredStacks } from "./service-metrics.ts";

/** The topics of alarms, the alarms, and the dashboards. */
export class MonitoringStack extends MillraceStack {
  constructor(
    scope: Construct,
    id: string,
    config: Environment,
    {
      security,
      access,
      ...monitored
    }: MonitoredStacks & { readonly security: SecurityStack; readonly access: AccessStack },
  ) {
    super(scope, id, { config, stateful: false, description: "dashboards, alarms, alarm topics, budget" });
    const topics = {
      pages: this.#topic("pages", "CRITICAL and HIGH alarms", config.alarms.email, security),
      tickets: this.#topic("tickets", "MEDIUM and LOW alarms", config.alarms.ticketEmail, security),
    };
    new AlarmSet(
      this,
      config,
      environmentAlarms(config, monitored),
      ({ severity }: AlarmSpec) => new actions.SnsAction(topics[pages(severity) ? "pages" : "tickets"]),
    );
    for (const name of Object.keys(dashboards) as DashboardName[])
      new cloudwatch.Dashboard(this, `Dashboard-${name}`, {
        dashboardName: resourceName(config, name),
        widgets: dashboardRows(name, config, monitored),
      });
    // The last stack of a deployment: while one goes wrong, it still names the version before.
    new CfnOutput(this, VERSION_OUTPUT, {
      value: String(this.node.tryGetContext("version") ?? UNKNOWN_VERSION),
      description: "version of the sources that are deployed",
    });
    if (config.budget !== null) this.#budget(config.budget.monthlyDollars, topics.tickets, access);
  }

  /** When it is spent, the deployer can't take the bootstrap's roles, which deploy. An administrator still can. */
  #budget(dollars: number, topic: sns.Topic, { deployer }: AccessStack): void {
    topic.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: "BudgetsOfThisAccount",
        principals: [new iam.ServicePrincipal("budgets.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [topic.topicArn],
        conditions: { StringEquals: { "aws:SourceAccount": this.account } },
      }),
    );
    new MonthlyBudget(this, "Budget", {
      budgetName: resourceName(this.config, "month"),
      dollars,
      tag: ["environment", this.config.name],
      topic,
      stops: deployer,
      denied: ["sts:AssumeRole"],
    });
  }

  #topic(name: "pages" | "tickets", what: string, email: string | null, security: SecurityStack): sns.Topic {
    const topic = new sns.Topic(this, `Topic-${name}`, {
      topicName: resourceName(this.config, name),
      displayName: `Millrace ${this.config.name}: ${name}`,
      masterKey: security.keys.operations,
      enforceSSL: true,
    });
    topic.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: "AlarmsOfThisAccount",
        principals: [new iam.ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [topic.topicArn],
        conditions: { StringEquals: { "aws:SourceAccount": this.account } },
      }),
    );
    if (email !== null) topic.addSubscription(new subscriptions.EmailSubscription(email));
    new CfnOutput(this, `TopicOf-${name}`, { value: topic.topicArn, description: `${what}: subscribe to it` });
    return topic;
  }
}
