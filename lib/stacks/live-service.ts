import { Aws, type aws_apigatewayv2 as websocket } from "aws-cdk-lib";
import { runningPipelineNames } from "../../config/pipelines.ts";
import { writeSettings } from "../../config/settings.ts";
import { consumerGroups } from "../../domain/names.ts";
import { topics } from "../../domain/topics.ts";
import type { MillraceStack } from "../constructs/millrace-stack.ts";
import { scaleByCpu, tasks } from "../constructs/scaling.ts";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import type { ContainerService } from "../reusable/container-service.ts";
import { allow, allowTable } from "../reusable/grants.ts";
import type { NetworkStack } from "./network.ts";
import type { ProcessingStack } from "./processing.ts";
import { HEALTH_PORT, programService } from "./programs.ts";
import type { SecurityStack } from "./security.ts";
import type { StateStack } from "./state.ts";
import type { StreamingStack } from "./streaming.ts";

/** Sending frames takes a burst of CPU when many clients connect at once; a task has one vCPU. */
const LIVE_CPU_PERCENT = 50;

export interface LiveNeeds {
  readonly network: NetworkStack;
  readonly security: SecurityStack;
  readonly streaming: StreamingStack;
  readonly state: StateStack;
  readonly processing: ProcessingStack;
}

/** The service that sends results to the connections of a WebSocket stage. */
export function liveService(
  stack: MillraceStack,
  stage: websocket.WebSocketStage,
  { network, security, streaming, state, processing }: LiveNeeds,
): ContainerService {
  const { config } = stack;
  const { connections } = state.tables;
  const service = programService(stack, {
    name: "live",
    program: "live",
    cluster: processing.cluster,
    cpu: 1024,
    memoryMiB: 2048,
    key: security.keys.operations,
    subnets: network.outboundSubnets,
    securityGroup: network.securityGroups.live,
    assignPublicIp: config.network.natGateways === 0,
    deployment: "rolling",
    environment: writeSettings("live", {
      environment: config.name,
      metricsLog: "emf",
      pipelines: runningPipelineNames(config),
      region: Aws.REGION,
      kafkaBrokers: streaming.cluster.bootstrapBrokers,
      kafkaAuth: "iam",
      connectionsTable: connections.tableName,
      websocketEndpoint: stage.callbackUrl,
      healthPort: HEALTH_PORT,
    }),
  });
  const market = [topics.marketEnriched, topics.marketAggregated, topics.marketAlerts];
  const followed = [
    ...[topics.transformed, topics.aggregated, topics.sessions, topics.inference, topics.deadLetter],
    ...(config.processor.market === null ? [] : market),
  ];
  streaming.cluster.grantRead(
    service,
    followed.map(({ name }) => name),
    [consumerGroups.live],
  );
  allowTable(service, connections, security.keys.state, [
    "DescribeTable",
    "Scan",
    "GetItem",
    "DeleteItem",
    "UpdateItem",
  ]);
  allowConnections(stack, service, stage);
  scaleByCpu(service.service.autoScaleTaskCount(tasks(config.live)), LIVE_CPU_PERCENT);
  return service;
}

/** Sending to connections, and closing them. */
function allowConnections(stack: MillraceStack, service: ContainerService, stage: websocket.WebSocketStage): void {
  const arn = (method: string): string =>
    stack.formatArn({
      service: "execute-api",
      resource: stage.api.apiId,
      resourceName: `${stage.stageName}/${method}/@connections/*`,
    });
  allow(service, ["execute-api:ManageConnections"], [arn("POST"), arn("DELETE")]);
  acknowledgeWildcards(service, { "/@connections/*": "API Gateway makes up the ids of connections" });
}
