import { aws_ecs as ecs, aws_iam as iam, type aws_kms as kms, type aws_logs as logs } from "aws-cdk-lib";
import { Construct } from "constructs";
import { acknowledge, acknowledgeWildcards } from "./acknowledge.ts";
import { EncryptedLogs } from "./encrypted-logs.ts";

export interface ContainerTaskProps {
  /** Name of the task definition. */
  readonly family: string;
  readonly containerName: string;
  /** It is arm64, and runs as user and group 1000. */
  readonly image: ecs.ContainerImage;
  readonly roleDescription: string;
  /** Variables. @default none */
  readonly environment?: Readonly<Record<string, string>>;
  /** Units of which a vCPU has 1,024. */
  readonly cpu: 256 | 512 | 1024;
  readonly memoryMiB: number;
  /** What it may write to /tmp, with its image. @default Fargate's 20 GiB */
  readonly storageGiB?: number;
  /** Key of its log group, which it must let CloudWatch Logs encrypt. */
  readonly key: kms.IKey;
  readonly logGroupName: string;
  /** @default one month */
  readonly logRetention?: logs.RetentionDays;
  /** What the names of its log streams begin with. @default the container's name */
  readonly logStreamPrefix?: string;
  /** Whether the program waits for its log, or lines are dropped when the log is slow. @default it waits, ECS' own */
  readonly logMode?: ecs.AwsLogDriverMode;
  /** What the container has besides. @default nothing */
  readonly container?: Partial<ecs.ContainerDefinitionOptions>;
}

/** A task on Fargate: arm64, not root, read-only file system but for /tmp, logs by awslogs, a role that has nothing. */
export class ContainerTask extends Construct implements iam.IGrantable {
  readonly task: ecs.FargateTaskDefinition;
  readonly taskRole: iam.Role;
  readonly log: logs.ILogGroup;

  constructor(scope: Construct, id: string, props: ContainerTaskProps) {
    super(scope, id);
    this.log = new EncryptedLogs(this, "Logs", {
      logGroupName: props.logGroupName,
      key: props.key,
      ...(props.logRetention === undefined ? {} : { retention: props.logRetention }),
    });
    this.taskRole = new iam.Role(this, "TaskRole", {
      assumedBy: new iam.ServicePrincipal("ecs-tasks.amazonaws.com"),
      description: props.roleDescription,
    });
    this.task = new ecs.FargateTaskDefinition(this, "Task", {
      family: props.family,
      cpu: props.cpu,
      memoryLimitMiB: props.memoryMiB,
      ...(props.storageGiB === undefined ? {} : { ephemeralStorageGiB: props.storageGiB }),
      runtimePlatform: {
        cpuArchitecture: ecs.CpuArchitecture.ARM64,
        operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
      },
      taskRole: this.taskRole,
    });
    this.#container(props);
    acknowledge(this.task, {
      ECS2:
        "the variables are addresses and numbers that the template shows anyway; " +
        "the one secret is read by its ARN at run time",
    });
    acknowledgeWildcards(this.task, {
      "*": "fetching an image takes a token of the whole registry: ecr:GetAuthorizationToken has no resource",
    });
  }

  get grantPrincipal(): iam.IPrincipal {
    return this.taskRole;
  }

  #container(props: ContainerTaskProps): void {
    const container = this.task.addContainer(props.containerName, {
      image: props.image,
      environment: { ...props.environment },
      essential: true,
      readonlyRootFilesystem: true,
      user: "1000:1000",
      linuxParameters: new ecs.LinuxParameters(this, "LinuxParameters", { initProcessEnabled: true }),
      logging: ecs.LogDrivers.awsLogs({
        logGroup: this.log,
        streamPrefix: props.logStreamPrefix ?? props.containerName,
        ...(props.logMode === undefined ? {} : { mode: props.logMode }),
      }),
      ...props.container,
    });
    container.addMountPoints({ sourceVolume: "tmp", containerPath: "/tmp", readOnly: false });
    this.task.addVolume({ name: "tmp" });
  }
}
