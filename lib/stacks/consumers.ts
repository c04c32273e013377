import { runningPipelineNames } from "../../config/pipelines.ts";
import { eventSourceMappings } from "../../domain/event-source-mappings.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { type FunctionName, functions } from "../../domain/routes.ts";
import type { KafkaCluster } from "../constructs/kafka-cluster.ts";
import { KafkaConsumer } from "../constructs/kafka-consumer.ts";
import { MillraceFunction, type MillraceFunctionProps } from "../constructs/millrace-function.ts";
import type { MillraceStack } from "../constructs/millrace-stack.ts";
import { runtimePolicy } from "../constructs/runtime-policies.ts";
import { resourceName } from "../names.ts";

export interface ConsumerProps extends Pick<
  MillraceFunctionProps,
  "description" | "environment" | "key" | "network" | "reservedConcurrency"
> {
  readonly name: FunctionName;
  readonly cluster: KafkaCluster;
}

/** A function of `lambda/` that reads the topics of its entries in `domain/event-source-mappings.ts`. */
export function kafkaConsumer(stack: MillraceStack, { name, cluster, ...props }: ConsumerProps): KafkaConsumer {
  const { timeoutSeconds, memoryMb } = functions[name];
  const handler = new MillraceFunction(stack, { ...props, name, timeoutSeconds, memoryMiB: memoryMb });
  const mappings = existingWhere(eventSourceMappings, runningPipelineNames(stack.config));
  return new KafkaConsumer(stack, `Consumer-${name}`, {
    handler,
    cluster,
    mappings: mappings.filter(({ functionName }) => functionName === name),
    // The pollers of an environment share one group.
    pollerGroupName: resourceName(stack.config, "pollers"),
    pollingPolicy: runtimePolicy(stack, "polling"),
    failureQueueName: resourceName(stack.config, `${name}-failures`),
    key: props.key,
  });
}
