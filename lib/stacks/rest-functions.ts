import type { aws_lambda as lambda } from "aws-cdk-lib";
import { runningPipelineNames, runningPipelines } from "../../config/pipelines.ts";
import type { OwnIssuer } from "../../config/schema.ts";
import { type Settings, writeSettings } from "../../config/settings.ts";
import type { FeatureGroupKey } from "../../domain/features.ts";
import { featureGroupName } from "../../domain/names.ts";
import { existingWhere, pipelines } from "../../domain/pipelines.ts";
import { functions, type FunctionName, restFallback, restRoutes, ticketRoute } from "../../domain/routes.ts";
import { topics } from "../../domain/topics.ts";
import { MillraceFunction } from "../constructs/millrace-function.ts";
import type { MillraceStack } from "../constructs/millrace-stack.ts";
import { COGNITO_GROUPS, type UserPool } from "../constructs/user-pool.ts";
import { allow, allowKey, allowSecret, allowTable } from "../reusable/grants.ts";
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
export function restFunctions(stack: MillraceStack, needs: RestNeeds): Record<string, lambda.IFunction> {
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
  return Object.fromEntries(Object.entries(made).map(([name, { function: handler }]) => [name, handler]));
}

/** The function that gives a ticket for a WebSocket connection. */
export function ticketIssuer(stack: MillraceStack, { security: { keys }, state }: RestNeeds): lambda.IFunction {
  const { tickets } = state.tables;
  const issue = new MillraceFunction(stack, {
    name: "issue-ticket",
    description: `REST: ${ticketRoute.path}, for a WebSocket connection`,
    environment: writeSettings("tickets", {
      environment: stack.config.name,
      corsOrigins: stack.config.api.corsOrigins,
      ticketsTable: tickets.tableName,
    }),
    timeoutSeconds: 10,
    memoryMiB: 256,
    key: keys.operations,
  });
  allowTable(issue, tickets, keys.state, ["PutItem"]);
  return issue.function;
}

/** The function that verifies tokens; undefined where the config names no issuer. */
export function requestAuthorizer(stack: MillraceStack, { security }: RestNeeds): lambda.IFunction | undefined {
  const { auth } = stack.config.api;
  if (auth === null) return undefined;
  const { users, keys } = security;
  return new MillraceFunction(stack, {
    name: "authorize-request",
    description: "REST authorizer: verifies the JWT",
    environment: writeSettings("authorizer", {
      environment: stack.config.name,
      ...(auth.cognito ? ofUserPool(users) : ofIssuer(auth)),
      operatorsGroup: auth.operatorsGroup,
    }),
    timeoutSeconds: 10,
    memoryMiB: 256,
    key: keys.operations,
  }).function;
}

type Tokens = Pick<Settings<"authorizer">, "jwtIssuer" | "jwtAudience" | "jwksUri" | "groupsClaim">;

function ofIssuer({ issuer, audience, jwksUri, groupsClaim }: OwnIssuer): Tokens {
  return { jwtIssuer: issuer, jwtAudience: audience, jwksUri, groupsClaim };
}

/** Of any client of the pool: it is this environment's alone. */
function ofUserPool(users: UserPool | null): Partial<Tokens> {
  if (!users) return {};
  const issuer = users.pool.userPoolProviderUrl;
  return { jwtIssuer: issuer, jwksUri: `${issuer}/.well-known/jwks.json`, groupsClaim: COGNITO_GROUPS };
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
