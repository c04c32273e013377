import { Aws, aws_budgets as budgets, aws_iam as iam, type aws_sns as sns } from "aws-cdk-lib";
import { Construct } from "constructs";

/** Per cent of the budget. */
const [WARNING, ALL] = [80, 100] as const;

export interface MonthlyBudgetProps {
  readonly budgetName: string;
  /** US dollars a month. */
  readonly dollars: number;
  /** The cost allocation tag that says what belongs to the budget: key and value. */
  readonly tag: readonly [key: string, value: string];
  /** Where a breach is said. Its policy, and that of its key, let AWS Budgets publish. */
  readonly topic: sns.ITopic;
  /** The role that may do no more than `denied` allows once the budget is spent. */
  readonly stops: iam.IRole;
  /** Actions that are denied to that role then. */
  readonly denied: readonly string[];
}

/**
 * A budget of a month's costs. 80 % spent and 100 % forecast are said to a topic; at 100 % a policy is attached to a
 * role that denies it some actions. AWS Budgets takes it away again when the month has ended, and whoever may reverse
 * the action does so before.
 *
 * Sources: https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-controls.html,
 * https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
 */
export class MonthlyBudget extends Construct {
  constructor(scope: Construct, id: string, props: MonthlyBudgetProps) {
    super(scope, id);
    const { budgetName, dollars, tag, topic, stops, denied } = props;
    const subscribers = [{ subscriptionType: "SNS", address: topic.topicArn }];
    const breach = (notificationType: "ACTUAL" | "FORECASTED", threshold: number) => ({
      notification: { notificationType, threshold, thresholdType: "PERCENTAGE", comparisonOperator: "GREATER_THAN" },
      subscribers,
    });
    const budget = new budgets.CfnBudget(this, "Budget", {
      budget: {
        budgetName,
        budgetType: "COST",
        timeUnit: "MONTHLY",
        budgetLimit: { amount: dollars, unit: "USD" },
        costFilters: { TagKeyValue: [`user:${tag.join("$")}`] },
      },
      notificationsWithSubscribers: [breach("ACTUAL", WARNING), breach("FORECASTED", ALL)],
    });
    const policy = new iam.ManagedPolicy(this, "Denied", {
      description: `What is denied while the budget ${budgetName} is spent`,
      statements: [new iam.PolicyStatement({ effect: iam.Effect.DENY, actions: [...denied], resources: ["*"] })],
    });
    const attaching = new iam.Role(this, "Role", {
      description: `Attaches a policy when the budget ${budgetName} is spent`,
      assumedBy: new iam.ServicePrincipal("budgets.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": Aws.ACCOUNT_ID } },
      }),
    });
    attaching.addToPolicy(
      new iam.PolicyStatement({
        actions: ["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
        resources: [stops.roleArn],
        conditions: { ArnEquals: { "iam:PolicyARN": policy.managedPolicyArn } },
      }),
    );
    const action = new budgets.CfnBudgetsAction(this, "Action", {
      budgetName,
      actionType: "APPLY_IAM_POLICY",
      approvalModel: "AUTOMATIC",
      notificationType: "ACTUAL",
      actionThreshold: { type: "PERCENTAGE", value: ALL },
      definition: { iamActionDefinition: { policyArn: policy.managedPolicyArn, roles: [stops.roleName] } },
      executionRoleArn: attaching.roleArn,
      subscribers: [{ type: "SNS", address: topic.topicArn }],
    });
    action.addResourceDependency(budget);
  }
}
