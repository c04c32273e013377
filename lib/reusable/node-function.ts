import {
  type aws_ec2 as ec2,
  aws_iam as iam,
  type aws_kms as kms,
  aws_lambda as lambda,
  type aws_logs as logs,
  Duration,
} from "aws-cdk-lib";
import { Construct } from "constructs";
import { acknowledgeWildcards } from "./acknowledge.ts";
import { EncryptedLogs } from "./encrypted-logs.ts";
import { allow } from "./grants.ts";

/** Where a function runs that reaches what is in a VPC. */
export interface FunctionNetwork {
  readonly vpc: ec2.IVpc;
  readonly subnets: ec2.SubnetSelection;
  readonly securityGroup: ec2.ISecurityGroup;
}

export interface NodeFunctionProps {
  readonly functionName: string;
  readonly description: string;
  /** What its role is for. @default the function's description */
  readonly roleDescription?: string;
  /** Its bundle, which exports `handler` from `index`. */
  readonly code: lambda.Code;
  /** Variables. @default none */
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly memoryMiB: number;
  /** Key of its log group and its variables. */
  readonly key: kms.IKey;
  readonly logGroupName: string;
  /** @default one month */
  readonly logRetention?: logs.RetentionDays;
  /** @default - not in a VPC */
  readonly network?: FunctionNetwork;
  /**
   * Policies with the rights that take no resource: to send traces and, in a VPC, to use network interfaces. Functions
   * can share them.
   *
   * @default - statements of the function's own role
   */
  readonly sharedPolicies?: { readonly tracing: iam.IManagedPolicy; readonly networkInterfaces: iam.IManagedPolicy };
  /**
   * How many may run at once. It protects what the function calls, and takes this share of the account's limit.
   *
   * @default - no limit but the account's
   */
  readonly reservedConcurrency?: number;
}

/** A function on Node 24, arm64, traced, with its own log group, and a role that has only what is granted to it. */
export class NodeFunction extends Construct implements iam.IGrantable {
  readonly function: lambda.Function;
  readonly role: iam.Role;

  constructor(scope: Construct, id: string, props: NodeFunctionProps) {
    super(scope, id);
    const log = new EncryptedLogs(this, "Logs", {
      logGroupName: props.logGroupName,
      key: props.key,
      ...(props.logRetention === undefined ? {} : { retention: props.logRetention }),
    });
    this.role = new iam.Role(this, "Role", {
      assumedBy: new iam.ServicePrincipal("lambda.amazonaws.com"),
      description: props.roleDescription ?? props.description,
    });
    log.grantWrite(this.role);
    const shared = props.sharedPolicies;
    if (shared) {
      this.role.addManagedPolicy(shared.tracing);
      if (props.network) this.role.addManagedPolicy(shared.networkInterfaces);
    } else if (props.network) this.#letUseVpc();
    this.function = new lambda.Function(this, "Function", {
      functionName: props.functionName,
      description: props.description,
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      code: props.code,
      handler: "index.handler",
      memorySize: props.memoryMiB,
      timeout: Duration.seconds(props.timeoutSeconds),
      environment: { ...props.environment },
      environmentEncryption: props.key,
      role: this.role,
      logGroup: log,
      loggingFormat: lambda.LoggingFormat.JSON,
      // It would give the role a statement of its own.
      ...(shared ? {} : { tracing: lambda.Tracing.ACTIVE }),
      ...(props.reservedConcurrency === undefined ? {} : { reservedConcurrentExecutions: props.reservedConcurrency }),
      ...(props.network
        ? { vpc: props.network.vpc, vpcSubnets: props.network.subnets, securityGroups: [props.network.securityGroup] }
        : {}),
    });
    if (shared) {
      (this.function.node.defaultChild as lambda.CfnFunction).tracingConfig = { mode: "Active" };
      return;
    }
    const attaches = props.network ? ", nor do the EC2 actions by which Lambda attaches network interfaces" : "";
    acknowledgeWildcards(this, { "*": `X-Ray's actions take no resource${attaches}` });
  }

  get grantPrincipal(): iam.IPrincipal {
    return this.role;
  }

  /** Lambda makes and removes network interfaces with the function's role. Most of these actions take no resource. */
  #letUseVpc(): void {
    allow(
      this.role,
      [
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
      ],
      ["*"],
    );
  }
}
