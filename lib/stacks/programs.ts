import { CfnOutput, aws_ecs as ecs } from "aws-cdk-lib";
import type { MillraceStack } from "../constructs/millrace-stack.ts";
import { type ImageProgram, programImage } from "../images.ts";
import { logGroupName, resourceName } from "../names.ts";
import { ContainerService, type ContainerServiceProps } from "../reusable/container-service.ts";
import { ContainerTask, type ContainerTaskProps } from "../reusable/container-task.ts";

/** Port of `GET /health` in every container. */
export const HEALTH_PORT = 8_090;

/** A program in an environment: name of its family, after the environment's, and the program that its image has. */
interface Program {
  readonly name: string;
  readonly program: ImageProgram;
}

/** What follows from the environment. */
type OfEnvironment =
  | "family"
  | "containerName"
  | "image"
  | "roleDescription"
  | "logGroupName"
  | "logRetention"
  | "logStreamPrefix"
  | "serviceName"
  | "healthPort";

/** A program that runs all the time. */
export function programService(
  stack: MillraceStack,
  { name, program, ...props }: Program & Omit<ContainerServiceProps, OfEnvironment>,
): ContainerService {
  const { common, version } = environmentProps(stack, { name, program }, `service/${name}`);
  const service = new ContainerService(stack, `Service-${name}`, {
    ...props,
    ...common,
    serviceName: resourceName(stack.config, name),
    healthPort: HEALTH_PORT,
  });
  version(service);
  return service;
}

/** A program that is started for one run. */
export function programTask(
  stack: MillraceStack,
  { name, program, ...props }: Program & Omit<ContainerTaskProps, OfEnvironment>,
): ContainerTask {
  const { common, version } = environmentProps(stack, { name, program }, `task/${name}`);
  const task = new ContainerTask(stack, "Default", { ...props, ...common });
  version(stack);
  return task;
}

/** Also gives an output of a scope that says which image the program runs. */
function environmentProps(stack: MillraceStack, { name, program }: Program, log: string) {
  const { config } = stack;
  const image = programImage(stack, program, name);
  return {
    common: {
      family: resourceName(config, name),
      containerName: program,
      image: ecs.ContainerImage.fromDockerImageAsset(image),
      roleDescription: `Millrace ${config.name}: what ${name} may do`,
      logGroupName: logGroupName(config, log),
      logRetention: config.logRetentionDays,
      logStreamPrefix: name,
    },
    version: (scope: MillraceStack | ContainerService) =>
      new CfnOutput(scope, "ImageVersion", {
        value: image.assetHash,
        description: `tag of the image that ${name} runs`,
      }),
  };
}
