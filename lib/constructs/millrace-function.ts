import { type aws_ec2 as ec2, aws_iam as iam, type aws_kms as kms, aws_lambda as lambda, Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import { functionBundle } from "../bundles.ts";
import { resourceName } from "../names.ts";
import { acknowledgeWildcards } from "./acknowledge.ts";
import { allow } from "./grants.ts";
import { logGroup } from "./log-group.ts";
import type { MillraceStack } from "./millrace-stack.ts";

export interface MillraceFunctionProps {
  /** Folder under `lambda/`; also its name, after the environment's. */
  readonly name: string;
  readonly description: string;
  /** Variables, as `config/settings.ts` writes them. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly memoryMiB: number;
  /** Key of its log group and its environment. */
  readonly key: kms.IKey;
  /** @default - not in a VPC */
  readonly network?: {
    readonly vpc: ec2.IVpc;
    readonly subnets: ec2.SubnetSelection;
    readonly securityGroup: ec2.ISecurityGroup;
  };
  /**
   * How many may run at once, where the environment reserves concurrency. It protects what the function calls, and
   * takes this share of the account's limit.
   *
   * @default - no limit but the account's
   */
  readonly reservedConcurrency?: number;
}

/** A function of `lambda/`: arm64, traced, with its own log group, and a role that has only what is granted to it. */
export class MillraceFunction extends Construct implements iam.IGrantable {
  readonly function: lambda.Function;
  readonly role: iam.Role;

  constructor(stack: MillraceStack, props: MillraceFunctionProps) {
    super(stack, `Function-${props.name}`);
    const { config } = stack;
    const log = logGroup(this, "Logs", { config, name: `function/${props.name}`, key: props.key });
    this.role = new iam.Role(this, "Role", {
      assumedBy: new iam.ServicePrincipal("lambda.amazonaws.com"),
      description: `Millrace ${config.name}: ${props.description}`,
    });
    log.grantWrite(this.role);
    if (props.network) this.#letUseVpc();
    this.function = new lambda.Function(this, "Function", {
      functionName: resourceName(config, props.name),
      description: props.description,
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      code: lambda.Code.fromAsset(functionBundle(props.name)),
      handler: "index.handler",
      memorySize: props.memoryMiB,
      timeout: Duration.seconds(props.timeoutSeconds),
      environment: { ...props.environment },
      environmentEncryption: props.key,
      role: this.role,
      logGroup: log,
      loggingFormat: lambda.LoggingFormat.JSON,
      tracing: lambda.Tracing.ACTIVE,
      ...(props.reservedConcurrency === undefined || !config.functions.reserveConcurrency
        ? {}
        : { reservedConcurrentExecutions: props.reservedConcurrency }),
      ...(props.network
        ? { vpc: props.network.vpc, vpcSubnets: props.network.subnets, securityGroups: [props.network.securityGroup] }
        : {}),
    });
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
