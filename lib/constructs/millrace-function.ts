import { aws_lambda as lambda } from "aws-cdk-lib";
import { functionBundle } from "../bundles.ts";
import { logGroupName, resourceName } from "../names.ts";
import { NodeFunction, type NodeFunctionProps } from "../reusable/node-function.ts";
import type { MillraceStack } from "./millrace-stack.ts";
import { runtimePolicy } from "./runtime-policies.ts";

/** Concurrency is reserved where the environment reserves any. */
export interface MillraceFunctionProps extends Pick<
  NodeFunctionProps,
  "description" | "environment" | "timeoutSeconds" | "memoryMiB" | "key" | "network" | "reservedConcurrency"
> {
  /** Folder under `lambda/`; also its name, after the environment's. */
  readonly name: string;
}

/** A function of `lambda/` in an environment. */
export class MillraceFunction extends NodeFunction {
  constructor(stack: MillraceStack, { name, reservedConcurrency, ...props }: MillraceFunctionProps) {
    const { config } = stack;
    super(stack, `Function-${name}`, {
      ...props,
      functionName: resourceName(config, name),
      roleDescription: `Millrace ${config.name}: ${props.description}`,
      code: lambda.Code.fromAsset(functionBundle(name)),
      logGroupName: logGroupName(config, `function/${name}`),
      logRetention: config.logRetentionDays,
      sharedPolicies: {
        tracing: runtimePolicy(stack, "tracing"),
        networkInterfaces: runtimePolicy(stack, "network-interfaces"),
      },
      ...(reservedConcurrency === undefined || !config.functions.reserveConcurrency ? {} : { reservedConcurrency }),
    });
  }
}
