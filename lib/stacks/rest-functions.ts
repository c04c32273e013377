import { runningPipelineNames, runningPipelines } from "../../config/pipelines.ts";
import { writeSettings } from "../../config/settings.ts";
import type { FeatureGroupKey } from "../../domain/features.ts";
import { featureGroupName } from "../../domain/names.ts";
import { existingWhere, pipelines } from "../../domain/pipelines.ts";
import { functions, type FunctionName, restFallback, restRoutes } from "../../domain/routes.ts";
import { topics } from "../../domain/topics.ts";
import { MillraceFunction } from "../constructs/millrace-function.ts";
import type { MillraceStack } from "../constructs/millrace-stack.ts";
import { allow, allowKey, allowSecret } from "../reusable/grants.ts";
import { documentSettings } from "./document-settings.ts";
import type { NetworkStack } from "./network.ts";
import type { SecurityStack } from "./security.ts";
import type { StateStack } from "./state.ts";
import type { StreamingStack } from "./streaming.ts";

export interface RestNeeds {
  readonly network: NetworkStack;
  readonly security: SecurityStack;
  readonly streaming: StreamingStack;
  readonly state: StateStack;
}

/** Functions that read Kafka, the document database or the feature store, from inside the VPC. */
const readers: readonly FunctionName[] = [
  "read-health",
  "read-sessions",
  "read-sensors",
  "read-dead-letters",
  "read-market",
];

/** The functions of the REST routes, by name. */
export function restFunctions(stack: MillraceStack, needs: RestNeeds): Record<string, MillraceFunction> {
  const routes = existingWhere(restRoutes, runningPipelineNames(stack.config));
  const names = new Set<FunctionName>([...routes.map((route) => route.function), restFallback]);
  const made = Object.fromEntries(
    [...names].map((name) => [name, readers.includes(name) ? reader(stack, name, needs) : plain(stack, name, needs)]),
  ) as Record<FunctionName, MillraceFunction>;
  const { security, state, streaming } = needs;
  for (const name of names)
    if (readers.includes(name)) allowSecret(made[name], state.documentsSecret, security.keys.secrets);
  const watched = [pipelines.sensor, ...runningPipelines(stack.config).filter(({ name }) => name !== "sensor")];
  streaming.cluster.grantReadLag(
    made["read-health"],
    watched.map(({ input }) => topics[input].name),
    watched.map(({ consumerGroup }) => consumerGroup),
  );
  allowFeatures(stack, made["read-sensors"], "sensorWindows", needs);
  if (names.has("read-market")) allowFeatures(stack, made["read-market"], "marketBars", needs);
  return made;
}

function plain(stack: MillraceStack, name: FunctionName, { security }: RestNeeds): MillraceFunction {
  return new MillraceFunction(stack, {
    ...common(name),
    environment: writeSettings("rest", {
      environment: stack.config.name,
      corsOrigins: stack.config.api.corsOrigins,
      pipelines: runningPipelineNames(stack.config),
      tickets: "yes",
    }),
    key: security.keys.operations,
  });
}

function reader(
  stack: MillraceStack,
  name: FunctionName,
  { network, security, streaming, state }: RestNeeds,
): MillraceFunction {
  return new MillraceFunction(stack, {
    ...common(name),
    environment: writeSettings("rest", {
      environment: stack.config.name,
      corsOrigins: stack.config.api.corsOrigins,
      pipelines: runningPipelineNames(stack.config),
      kafkaBrokers: streaming.cluster.bootstrapBrokers,
      kafkaAuth: "iam",
      ...documentSettings(state),
      checkpointTable: state.tables.checkpoints.tableName,
      featureGroup: featureGroupName(stack.config.name, "sensorWindows"),
      ...(stack.config.processor.market
        ? { marketFeatureGroup: featureGroupName(stack.config.name, "marketBars") }
        : {}),
    }),
    key: security.keys.operations,
    network: { vpc: network.vpc, subnets: network.privateSubnets, securityGroup: network.securityGroups.rest },
  });
}

function common(name: FunctionName): { name: string; description: string; timeoutSeconds: number; memoryMiB: number } {
  const paths = restRoutes.filter((route) => route.function === name).map(({ path }) => path);
  const { timeoutSeconds, memoryMb } = functions[name];
  return { name, description: `REST: ${paths.join(", ")}`, timeoutSeconds, memoryMiB: memoryMb };
}

function allowFeatures(
  stack: MillraceStack,
  handler: MillraceFunction,
  name: FeatureGroupKey,
  { security }: RestNeeds,
): void {
  const group = stack.formatArn({
    service: "sagemaker",
    resource: "feature-group",
    resourceName: featureGroupName(stack.config.name, name),
  });
  allow(handler, ["sagemaker:GetRecord"], [group]);
  allowKey(handler, security.keys.readings, "sagemaker", ["Decrypt"]);
}
