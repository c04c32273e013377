import { aws_ecs as ecs, aws_iam as iam, type aws_kms as kms, type aws_logs as logs, CfnOutput } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { programImage, type ImageProgram } from "../images.ts";
import { resourceName } from "../names.ts";
import { acknowledge, acknowledgeWildcards } from "../reusable/acknowledge.ts";
import { logGroup } from "./log-group.ts";

export interface ProgramTaskProps {
  readonly config: Environment;
  /** Name of the task's family, after the environment's; its log streams begin with it. */
  readonly name: string;
  readonly program: ImageProgram;
  readonly environment: Readonly<Record<string, string>>;
  readonly cpu: 256 | 512 | 1024;
  readonly memoryMiB: number;
  /** What it may write to /tmp, with its image. @default Fargate's 20 GiB */
  readonly storageGiB?: number;
  readonly key: kms.IKey;
  /** Of the log group, after the environment's prefix. */
  readonly logName: string;
  /** Whether the program waits for its log, or lines are dropped when the log is slow. */
  readonly logMode: ecs.AwsLogDriverMode;
  /** What the container has besides. */
  readonly container?: Partial<ecs.ContainerDefinitionOptions>;
}

export interface ProgramTask {
  readonly task: ecs.FargateTaskDefinition;
  readonly taskRole: iam.Role;
  readonly log: logs.ILogGroup;
}

/** The task of a program on Fargate: arm64, not root, read-only file system but for /tmp, logs by awslogs. */
export function programTask(scope: Construct, props: ProgramTaskProps): ProgramTask {
  const { config, name, program } = props;
  const log = logGroup(scope, "Logs", { config, name: props.logName, key: props.key });
  const taskRole = new iam.Role(scope, "TaskRole", {
    assumedBy: new iam.ServicePrincipal("ecs-tasks.amazonaws.com"),
    description: `Millrace ${config.name}: what ${name} may do`,
  });
  const task = new ecs.FargateTaskDefinition(scope, "Task", {
    family: resourceName(config, name),
    cpu: props.cpu,
    memoryLimitMiB: props.memoryMiB,
    ...(props.storageGiB === undefined ? {} : { ephemeralStorageGiB: props.storageGiB }),
    runtimePlatform: {
      cpuArchitecture: ecs.CpuArchitecture.ARM64,
      operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
    },
    taskRole,
  });
  const image = programImage(scope, program);
  new CfnOutput(scope, "ImageVersion", { value: image.assetHash, description: `tag of the image that ${name} runs` });
  const container = task.addContainer(program, {
    image: ecs.ContainerImage.fromDockerImageAsset(image),
    environment: { ...props.environment },
    essential: true,
    readonlyRootFilesystem: true,
    user: "1000:1000",
    linuxParameters: new ecs.LinuxParameters(scope, "LinuxParameters", { initProcessEnabled: true }),
    logging: ecs.LogDrivers.awsLogs({ logGroup: log, streamPrefix: name, mode: props.logMode }),
    ...props.container,
  });
  container.addMountPoints({ sourceVolume: "tmp", containerPath: "/tmp", readOnly: false });
  task.addVolume({ name: "tmp" });
  acknowledge(task, {
    ECS2:
      "the variables are addresses and numbers that the template shows anyway; " +
      "the one secret is read by its ARN at run time",
  });
  acknowledgeWildcards(task, {
    "*": "fetching an image takes a token of the whole registry: ecr:GetAuthorizationToken has no resource",
  });
  return { task, taskRole, log };
}
