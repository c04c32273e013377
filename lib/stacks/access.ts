import { ArnFormat, aws_iam as iam, CfnOutput, Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { mqttTopic } from "../../domain/imu.ts";
import { acknowledgeWildcards } from "../constructs/acknowledge.ts";
import { allow, allowKey } from "../constructs/grants.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { lakeDatabaseName, logGroupName, resourceName } from "../names.ts";
import type { LakeStack } from "./lake.ts";
import type { SecurityStack } from "./security.ts";

export interface AccessNeeds {
  readonly security: SecurityStack;
  readonly lake: LakeStack;
}

/** What GitHub's tokens are issued by. Its identity provider exists once in an account. */
const GITHUB = "token.actions.githubusercontent.com";
/** The bootstrap's qualifier, unless an account was bootstrapped with another one. */
const QUALIFIER = "hnb659fds";

/**
 * Roles of people and of the pipeline: who deploys, who is on call, who queries the lake. Each may do what that takes,
 * in this environment alone. The account's administrators say who may take the last two, by `sts:AssumeRole`.
 */
export class AccessStack extends MillraceStack {
  constructor(scope: Construct, id: string, config: Environment, { security, lake }: AccessNeeds) {
    super(scope, id, { config, stateful: false, description: "roles of people and of the pipeline" });
    this.#deployer();
    this.#onCall(security);
    this.#analyst(lake, security);
  }

  #role(
    name: string,
    description: string,
    assumedBy: iam.IPrincipal = new iam.AccountPrincipal(this.account),
  ): iam.Role {
    const role = new iam.Role(this, `Role-${name}`, {
      roleName: resourceName(this.config, name),
      description,
      assumedBy,
      maxSessionDuration: Duration.hours(name === "deployer" ? 2 : 8),
    });
    new CfnOutput(this, `Arn-${name}`, { value: role.roleArn, description });
    return role;
  }

  #arn(service: string, resource: string, resourceName?: string): string {
    if (resourceName === undefined) return this.formatArn({ service, resource, arnFormat: ArnFormat.NO_RESOURCE_NAME });
    return this.formatArn({ service, resource, resourceName });
  }

  /** Takes the bootstrap's roles, which deploy, and does what the smoke test does. */
  #deployer(): void {
    const { config } = this;
    const { repository } = config.deployer;
    const role = this.#role(
      "deployer",
      "deploys the environment, and tries it",
      repository === null
        ? undefined
        : new iam.WebIdentityPrincipal(`arn:${this.partition}:iam::${this.account}:oidc-provider/${GITHUB}`, {
            StringEquals: {
              [`${GITHUB}:aud`]: "sts.amazonaws.com",
              [`${GITHUB}:sub`]: `repo:${repository}:environment:${config.name}`,
            },
          }),
    );
    allow(
      role,
      ["sts:AssumeRole"],
      ["deploy", "file-publishing", "image-publishing", "lookup"].map(
        (of) =>
          `arn:${this.partition}:iam::${this.account}:role/cdk-${QUALIFIER}-${of}-role-${this.account}-${this.region}`,
      ),
    );
    const stacks = this.#arn("cloudformation", "stack", `${resourceName(config, "*")}`);
    allow(role, ["cloudformation:DescribeStacks"], [stacks]);
    allow(role, ["iot:Connect"], [this.#arn("iot", "client", "smoke-*")]);
    allow(role, ["iot:Publish"], [this.#arn("iot", "topic", mqttTopic(config.mqttPrefix, "imu/smoke-*"))]);
    allow(
      role,
      ["lambda:InvokeFunction"],
      ["produce-test", "consume-test"].map((name) => this.#arn("lambda", `function:${resourceName(config, name)}`)),
    );
    acknowledgeWildcards(role, {
      [`:stack/${resourceName(config, "*")}`]: "a stack's ARN ends in an id that CloudFormation makes up",
      ":client/smoke-*": "the smoke test makes up a sensor",
      "/imu/smoke-*": "the smoke test makes up a sensor",
    });
  }

  /** Reads metrics, logs and services, lets a service start anew, and takes what failed out of its queues. */
  #onCall({ keys }: SecurityStack): void {
    const { config } = this;
    const role = this.#role("on-call", "sees what runs, starts services anew, sends again what failed");
    allow(
      role,
      ["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:ListMetrics", "logs:DescribeLogGroups"],
      ["*"],
    );
    allow(
      role,
      ["cloudwatch:GetDashboard"],
      [`arn:${this.partition}:cloudwatch::${this.account}:dashboard/${resourceName(config, "overview")}`],
    );
    const logs = this.#arn("logs", `log-group:${logGroupName(config, "*")}`);
    allow(role, ["logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery"], [logs]);
    allow(role, ["logs:GetQueryResults"], ["*"]);
    const services = this.#arn("ecs", "service", `${resourceName(config, "cluster")}/*`);
    allow(role, ["ecs:DescribeServices", "ecs:UpdateService"], [services]);
    const queues = this.#arn("sqs", resourceName(config, "*"));
    allow(
      role,
      [
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ListMessageMoveTasks",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
        "sqs:StartMessageMoveTask",
      ],
      [queues],
    );
    for (const key of [keys.operations, keys.readings]) allowKey(role, key, "sqs", ["Decrypt", "GenerateDataKey"]);
    acknowledgeWildcards(role, {
      "*": "CloudWatch's lists and the results of a log query take no resource",
      [`:log-group:${logGroupName(config, "*")}`]: "every log of this environment, and no other",
      [`${resourceName(config, "cluster")}/*`]: "every service of this environment's cluster",
      [`:${resourceName(config, "*")}`]: "every queue of this environment",
    });
  }

  /** Queries the lake in its work group, and nothing else. */
  #analyst({ bucket, workGroup }: LakeStack, { keys }: SecurityStack): void {
    const { config } = this;
    const role = this.#role("analyst", "queries the lake");
    allow(
      role,
      [
        "athena:BatchGetNamedQuery",
        "athena:GetNamedQuery",
        "athena:GetQueryExecution",
        "athena:GetQueryResults",
        "athena:GetWorkGroup",
        "athena:ListNamedQueries",
        "athena:StartQueryExecution",
        "athena:StopQueryExecution",
      ],
      [this.#arn("athena", "workgroup", workGroup.name)],
    );
    const database = lakeDatabaseName(config);
    allow(
      role,
      ["glue:GetDatabase", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"],
      [
        this.#arn("glue", "catalog"),
        this.#arn("glue", "database", database),
        this.#arn("glue", "table", `${database}/*`),
      ],
    );
    allow(role, ["s3:GetBucketLocation", "s3:ListBucket"], [bucket.bucketArn]);
    allow(role, ["s3:GetObject"], [bucket.arnForObjects("tables/*")]);
    allow(role, ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], [bucket.arnForObjects("query-results/*")]);
    allowKey(role, keys.readings, "s3", ["Decrypt", "GenerateDataKey"]);
    acknowledgeWildcards(role, {
      [`:table/${database}/*`]: "every table of this environment's lake",
      "/tables/*": "every row of the lake",
      "/query-results/*": "Athena writes the results of a query with the caller's rights",
    });
  }
}
