import { aws_iam as iam, aws_kms as kms, Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { eventBusName } from "../../domain/market.ts";
import { type DataClass, dataClasses } from "../constructs/data-class.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { makeRuntimePolicies } from "../constructs/runtime-policies.ts";
import { UserPool } from "../constructs/user-pool.ts";
import { logGroupName, resourceName } from "../names.ts";

/** KMS keys per data class, rotated every year, the policies that functions share, and who may sign in. */
export class SecurityStack extends MillraceStack {
  readonly keys: Readonly<Record<DataClass, kms.Key>>;
  /** Null where the config names an issuer of its own, or none. */
  readonly users: UserPool | null;

  constructor(scope: Construct, id: string, config: Environment) {
    super(scope, id, {
      config,
      stateful: true,
      description: "keys per class of data, policies that functions share, users",
    });
    this.keys = Object.fromEntries(
      Object.entries(dataClasses).map(([name, what]) => [
        name,
        new kms.Key(this, `Key-${name}`, {
          alias: `alias/${resourceName(config, name)}`,
          description: `Millrace ${config.name}: ${what}`,
          enableKeyRotation: true,
          rotationPeriod: Duration.days(365),
          pendingWindow: Duration.days(config.retainData ? 30 : 7),
          removalPolicy: this.dataRemovalPolicy,
        }),
      ]),
    ) as Record<DataClass, kms.Key>;
    makeRuntimePolicies(this);
    this.users = config.api.auth?.cognito
      ? new UserPool(this, "Users", {
          userPoolName: resourceName(config, "users"),
          operatorsGroup: config.api.auth.operatorsGroup,
          groupDescription: `operators of Millrace ${config.name}`,
          isKept: config.retainData,
        })
      : null;
    this.#letLogsEncrypt();
    this.#letEventsEncrypt();
    if (config.processor.market !== null) this.#letEventBusEncrypt();
    if (config.lake.auditTrail) this.#letTrailEncrypt();
  }

  /** CloudWatch Logs may encrypt with the operations key, for log groups of this environment. */
  #letLogsEncrypt(): void {
    const logGroups = this.#arnOf("logs", `log-group:${logGroupName(this.config, "*")}`);
    this.keys.operations.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: "LogGroupsOfThisEnvironment",
        principals: [new iam.ServicePrincipal(`logs.${this.region}.amazonaws.com`)],
        actions: [
          "kms:Encrypt",
          "kms:Decrypt",
          "kms:ReEncryptFrom",
          "kms:ReEncryptTo",
          "kms:GenerateDataKey",
          "kms:DescribeKey",
        ],
        resources: ["*"],
        conditions: { ArnLike: { "kms:EncryptionContext:aws:logs:arn": logGroups } },
      }),
    );
  }

  /** Services that write to encrypted queues and topics may use the operations key, for this account. */
  #letEventsEncrypt(): void {
    this.keys.operations.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: "AlarmsAndEventsOfThisAccount",
        principals: [
          new iam.ServicePrincipal("cloudwatch.amazonaws.com"),
          new iam.ServicePrincipal("iot.amazonaws.com"),
          new iam.ServicePrincipal("events.amazonaws.com"),
          ...(this.config.budget === null ? [] : [new iam.ServicePrincipal("budgets.amazonaws.com")]),
        ],
        actions: ["kms:Decrypt", "kms:GenerateDataKey"],
        resources: ["*"],
        conditions: { StringEquals: { "aws:SourceAccount": this.account } },
      }),
    );
  }

  /**
   * EventBridge may encrypt with the readings key: the trades on the bus and in its archive, each operation bound to
   * this one bus, and what it sends to the queue of trades, for this account.
   */
  #letEventBusEncrypt(): void {
    const events = [new iam.ServicePrincipal("events.amazonaws.com")];
    const bus = this.#arnOf("events", `event-bus/${eventBusName(this.config.name)}`);
    const statements: readonly iam.PolicyStatementProps[] = [
      {
        sid: "EventBusAndArchiveOfThisEnvironment",
        actions: ["kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"],
        conditions: { StringEquals: { "kms:EncryptionContext:aws:events:event-bus:arn": bus } },
      },
      {
        sid: "EventsOfThisAccount",
        actions: ["kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey"],
        conditions: { StringEquals: { "aws:SourceAccount": this.account } },
      },
    ];
    for (const statement of statements)
      this.keys.readings.addToResourcePolicy(
        new iam.PolicyStatement({ ...statement, principals: events, resources: ["*"] }),
      );
  }

  /** CloudTrail may encrypt with the readings key, for the trail of this environment. */
  #letTrailEncrypt(): void {
    const trail = this.#arnOf("cloudtrail", `trail/${resourceName(this.config, "lake")}`);
    this.keys.readings.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: "TrailOfThisAccount",
        principals: [new iam.ServicePrincipal("cloudtrail.amazonaws.com")],
        actions: ["kms:GenerateDataKey", "kms:DescribeKey"],
        resources: ["*"],
        conditions: { StringEquals: { "aws:SourceArn": trail } },
      }),
    );
  }

  #arnOf(service: string, resource: string): string {
    return `arn:${this.partition}:${service}:${this.region}:${this.account}:${resource}`;
  }
}
