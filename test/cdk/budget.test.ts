import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { list, statementsOf, textOf } from "./statements.ts";
import { environments, resourcesOf, synthesised, type Synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-budgets-budget.html
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-budgets-budgetsaction.html
describe.each(environments)("the budget of %s", (env) => {
  let platform: Synthesised;
  beforeAll(async () => {
    platform = await synthesised(env);
  }, LIMIT_MS);

  const only = (type: string): Readonly<Record<string, unknown>> => {
    const found = resourcesOf(platform, type);
    expect(found).toHaveLength(1);
    return found[0]!.resource.Properties;
  };

  test("counts what has the environment's tag, and says 80 % spent and 100 % forecast", () => {
    const subscribers = [{ SubscriptionType: "SNS", Address: expect.anything() as unknown }];
    const said = (NotificationType: string, Threshold: number) => ({
      Notification: {
        NotificationType,
        Threshold,
        ThresholdType: "PERCENTAGE",
        ComparisonOperator: "GREATER_THAN",
      },
      Subscribers: subscribers,
    });
    expect(only("AWS::Budgets::Budget")).toMatchObject({
      Budget: {
        BudgetName: `millrace-${env}-month`,
        BudgetType: "COST",
        TimeUnit: "MONTHLY",
        BudgetLimit: { Amount: environment(env).budget?.monthlyDollars, Unit: "USD" },
        // The form of a user-defined tag:
        // https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Budget.html
        CostFilters: { TagKeyValue: [`user:environment$${env}`] },
      },
      NotificationsWithSubscribers: [said("ACTUAL", 80), said("FORECASTED", 100)],
    });
  });

  test("keeps the deployer, and no other role, from deploying when it is spent", () => {
    const { Definition, ...action } = only("AWS::Budgets::BudgetsAction");
    expect(action).toMatchObject({
      ActionType: "APPLY_IAM_POLICY",
      ApprovalModel: "AUTOMATIC",
      NotificationType: "ACTUAL",
      ActionThreshold: { Type: "PERCENTAGE", Value: 100 },
    });
    const { IamActionDefinition } = Definition as { IamActionDefinition: { Roles: unknown[] } };
    expect(IamActionDefinition.Roles.map(textOf)).toEqual([expect.stringContaining("Roledeployer")]);
  });

  // https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
  test("may publish to its topic, and use the topic's key", () => {
    const allowed = ["AWS::SNS::TopicPolicy", "AWS::KMS::Key"].flatMap((type) =>
      resourcesOf(platform, type).flatMap(({ resource }) =>
        statementsOf(resource)
          .filter(({ Principal }) => JSON.stringify(Principal).includes("budgets.amazonaws.com"))
          .flatMap(({ Action }) => list(Action ?? [])),
      ),
    );
    expect(allowed.toSorted()).toEqual(["kms:Decrypt", "kms:GenerateDataKey", "sns:Publish"]);
  });
});
