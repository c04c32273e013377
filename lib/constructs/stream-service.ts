import {
  type aws_ec2 as ec2,
  aws_ecs as ecs,
  type aws_iam as iam,
  type aws_kms as kms,
  type aws_logs as logs,
  Duration,
} from "aws-cdk-lib";
import { Construct } from "constructs";
import type { ImageProgram } from "../images.ts";
import { resourceName } from "../names.ts";
import type { MillraceStack } from "./millrace-stack.ts";
import { programTask } from "./program-task.ts";

/** Port of `GET /health` in every container. Nothing outside of the task reaches it. */
export const HEALTH_PORT = 8_090;
/** Fargate's longest. A task needs it to finish its transaction, take a snapshot and hand over. */
const STOP_TIMEOUT = Duration.seconds(120);

export interface StreamServiceProps {
  /** Name of the service, after the environment's. */
  readonly name: string;
  readonly program: ImageProgram;
  readonly cluster: ecs.ICluster;
  readonly environment: Readonly<Record<string, string>>;
  /** @default - left out, because something scales the service: a deployment would set the number back each time */
  readonly desiredCount?: number;
  readonly cpu: 256 | 512 | 1024;
  readonly memoryMiB: number;
  readonly key: kms.IKey;
  readonly subnets: ec2.SubnetSelection;
  readonly securityGroup: ec2.ISecurityGroup;
  /** For services in public subnets: they reach the internet only with an address. Security groups let nobody in. */
  readonly assignPublicIp: boolean;
  /**
   * `rolling`: new tasks start before old ones stop. `restart`: the old task stops first, for a program whose identity
   * only one task may have at a time.
   */
  readonly deployment: "rolling" | "restart";
}

/** A program on Fargate: arm64, not root, read-only file system, health-checked, rolled back if a deployment fails. */
export class StreamService extends Construct implements iam.IGrantable {
  readonly service: ecs.FargateService;
  readonly taskRole: iam.Role;
  readonly log: logs.ILogGroup;

  constructor(stack: MillraceStack, props: StreamServiceProps) {
    super(stack, `Service-${props.name}`);
    const { config } = stack;
    const { task, taskRole, log } = programTask(this, {
      config,
      name: props.name,
      program: props.program,
      environment: props.environment,
      cpu: props.cpu,
      memoryMiB: props.memoryMiB,
      key: props.key,
      logName: `service/${props.name}`,
      logMode: ecs.AwsLogDriverMode.NON_BLOCKING,
      container: { stopTimeout: STOP_TIMEOUT, healthCheck },
    });
    this.taskRole = taskRole;
    this.log = log;
    this.service = new ecs.FargateService(this, "Service", {
      serviceName: resourceName(config, props.name),
      cluster: props.cluster,
      taskDefinition: task,
      ...(props.desiredCount === undefined ? {} : { desiredCount: props.desiredCount }),
      circuitBreaker: { enable: true, rollback: true },
      ...(props.deployment === "rolling"
        ? { minHealthyPercent: 100, maxHealthyPercent: 200 }
        : { minHealthyPercent: 0, maxHealthyPercent: 100 }),
      vpcSubnets: props.subnets,
      securityGroups: [props.securityGroup],
      assignPublicIp: props.assignPublicIp,
      enableECSManagedTags: true,
      propagateTags: ecs.PropagatedTagSource.SERVICE,
      platformVersion: ecs.FargatePlatformVersion.VERSION1_4,
    });
  }

  get grantPrincipal(): iam.IPrincipal {
    return this.taskRole;
  }
}

const healthCheck: ecs.HealthCheck = {
  command: [
    "CMD",
    "node",
    "-e",
    `fetch("http://127.0.0.1:${HEALTH_PORT}/health")` +
      ".then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))",
  ],
  interval: Duration.seconds(15),
  timeout: Duration.seconds(5),
  retries: 3,
  startPeriod: Duration.seconds(120),
};
