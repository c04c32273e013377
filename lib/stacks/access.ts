import { ArnFormat, aws_iam as iam, CfnOutput, Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { OPS_TASK } from "../../config/operator-commands.ts";
import type { Environment } from "../../config/schema.ts";
import { dashboards } from "../../domain/dashboards.ts";
import { eventBusName } from "../../domain/market.ts";
import { dynamoTableName } from "../../domain/names.ts";
import { letDeploy, letUseBootstrap, workflowsOf } from "../constructs/deploying.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { letSmoke } from "../constructs/smoke-rights.ts";
import { lakeDatabaseName, logGroupName, resourceName, roleOutput } from "../names.ts";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import { allow, allowKey } from "../reusable/grants.ts";
import type { LakeStack } from "./lake.ts";
import type { OperationsStack } from "./operations.ts";
import type { OperatorsStack } from "./operators.ts";
import type { SecurityStack } from "./security.ts";
import type { StateStack } from "./state.ts";

export interface AccessNeeds {
  readonly security: SecurityStack;
  readonly state: StateStack;
  readonly lake: LakeStack;
  readonly operations: OperationsStack;
  /** Where the environment has the operators' API. */
  readonly operators: OperatorsStack | undefined;
}

/** The branch whose workflows may compare what is deployed with what would be. */
const DEPLOYED_BRANCH = "main";

/**
 * Roles of people and of the pipeline: who deploys, who is on call, who queries the lake, who tries a deployment. Each
 * may do what that takes, in this environment alone. The account's administrators say who may take the last three, by
 * `sts:AssumeRole`; the deployer may, for the smoke test.
 */
export class AccessStack extends MillraceStack {
  /** Deploys the environment. */
  readonly deployer: iam.Role;

  constructor(
    scope: Construct,
    id: string,
    config: Environment,
    { security, state, lake, operations, operators }: AccessNeeds,
  ) {
    super(scope, id, { config, stateful: false, description: "roles of people and of the pipeline" });
    this.deployer = this.#deployer();
    if (config.deployer.repository !== null) this.#reviewer(config.deployer.repository);
    const onCall = this.#onCall(security, operations);
    operators?.api.grantInvoke(onCall);
    this.#analyst(lake, security);
    const smoke = this.#role("smoke", "tries the environment as its devices, users and producers do");
    letSmoke(smoke, this, config, { devices: state.tables.devices, key: security.keys.state });
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
      maxSessionDuration: Duration.hours(name === "deployer" || name === "reviewer" ? 2 : 8),
    });
    new CfnOutput(this, roleOutput(name), { value: role.roleArn, description });
    return role;
  }

  #arn(service: string, resource: string, resourceName?: string): string {
    if (resourceName === undefined) return this.formatArn({ service, resource, arnFormat: ArnFormat.NO_RESOURCE_NAME });
    return this.formatArn({ service, resource, resourceName });
  }

  /** Takes the bootstrap's roles, which deploy, and those of the smoke test. */
  #deployer(): iam.Role {
    const { config } = this;
    const { repository } = config.deployer;
    const principal = repository === null ? undefined : workflowsOf(this, repository, `environment:${config.name}`);
    const role = this.#role("deployer", "deploys the environment, and tries it", principal);
    letDeploy(role, this, config);
    return role;
  }

  /** Shows what a deployment would change, before anybody agrees to it: it reads the templates that are in force. */
  #reviewer(repository: string): void {
    const principal = workflowsOf(this, repository, `ref:refs/heads/${DEPLOYED_BRANCH}`);
    letUseBootstrap(this.#role("reviewer", "compares what is deployed with what would be", principal), this, [
      "lookup",
    ]);
  }

  /** What the runbooks' commands take: to look, and to do what they say. */
  #onCall({ keys }: SecurityStack, operations: OperationsStack): iam.Role {
    const { config } = this;
    const role = this.#role("on-call", "sees what runs, does what the runbooks say");
    allow(
      role,
      [
        "application-autoscaling:RegisterScalableTarget",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricData",
        "cloudwatch:GetMetricStatistics",
        "cloudwatch:ListMetrics",
        "ecs:DescribeTaskDefinition",
        "ecs:ListTasks",
        "events:ListArchives",
        "firehose:ListDeliveryStreams",
        "health:DescribeEvents",
        "iot:UpdateCertificate",
        "kafka:ListClustersV2",
        "lambda:ListEventSourceMappings",
        "logs:DescribeLogGroups",
        "rds:DescribeDBClusters",
        "sqs:ListQueues",
      ],
      ["*"],
    );
    this.#letRunCommands(role, operations);
    allow(
      role,
      ["dynamodb:DescribeTable"],
      (["checkpoints", "devices"] as const).map((name) =>
        this.#arn("dynamodb", "table", dynamoTableName(config.name, name)),
      ),
    );
    allow(role, ["events:DescribeRule"], [this.#arn("events", "rule", resourceName(config, "compact"))]);
    const lake = `${resourceName(config, "lake")}/*`;
    allow(role, ["cloudformation:DescribeStacks"], [this.#arn("cloudformation", "stack", lake)]);
    if (config.processor.market !== null)
      allow(role, ["events:DescribeEventBus"], [this.#arn("events", "event-bus", eventBusName(config.name))]);
    allow(
      role,
      ["cloudwatch:GetDashboard"],
      Object.keys(dashboards).map(
        (name) => `arn:${this.partition}:cloudwatch::${this.account}:dashboard/${resourceName(config, name)}`,
      ),
    );
    const logs = this.#arn("logs", `log-group:${logGroupName(config, "*")}`);
    allow(role, ["logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery"], [logs]);
    allow(role, ["logs:GetQueryResults"], ["*"]);
    const services = this.#arn("ecs", "service", `${resourceName(config, "cluster")}/*`);
    const tasks = this.#arn("ecs", "task", `${resourceName(config, "cluster")}/*`);
    allow(role, ["ecs:DescribeServices", "ecs:UpdateService"], [services]);
    allow(role, ["ecs:DescribeTasks", "ecs:StopTask"], [tasks]);
    const queues = this.#arn("sqs", resourceName(config, "*"));
    allow(
      role,
      [
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:ListMessageMoveTasks",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
        "sqs:StartMessageMoveTask",
      ],
      [queues],
    );
    for (const key of [keys.operations, keys.readings]) allowKey(role, key, "sqs", ["Decrypt", "GenerateDataKey"]);
    acknowledgeWildcards(role, {
      "*":
        "lists take no resource; a certificate, and a scalable target, have ids that are made later: " +
        "who stops a device that floods, or scales out, names them",
      [`:log-group:${logGroupName(config, "*")}`]: "every log of this environment, and no other",
      [`${resourceName(config, "cluster")}/*`]: "every service and task of this environment's cluster",
      [`:${resourceName(config, "*")}`]: "every queue of this environment",
      [`:stack/${lake}`]: "the lake's stack, whose ARN ends in an id that CloudFormation makes up",
    });
    return role;
  }

  /** What `npm run on-aws` calls. */
  #letRunCommands(role: iam.Role, { task: { task, taskRole } }: OperationsStack): void {
    const family = this.#arn("ecs", "task-definition", resourceName(this.config, OPS_TASK));
    allow(role, ["ecs:RunTask"], [`${family}:*`]);
    allow(role, ["iam:PassRole"], [taskRole.roleArn, task.obtainExecutionRole().roleArn], {
      StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" },
    });
    acknowledgeWildcards(role, { [`/${resourceName(this.config, OPS_TASK)}:*`]: "every revision of the one task" });
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
