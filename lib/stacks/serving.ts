import { Aws, type aws_apigatewayv2 as websocket, aws_iam as iam, CfnOutput } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { consumerGroups, featureGroupName } from "../../domain/names.ts";
import { pipelines } from "../../domain/pipelines.ts";
import { functions, type FunctionName, restFallback, restRoutes } from "../../domain/routes.ts";
import { topics } from "../../domain/topics.ts";
import { acknowledgeWildcards } from "../constructs/acknowledge.ts";
import { allowKey, allowSecret, allowTable } from "../constructs/grants.ts";
import { KafkaConsumer } from "../constructs/kafka-consumer.ts";
import { MillraceFunction } from "../constructs/millrace-function.ts";
import { RestService } from "../constructs/rest-service.ts";
import { HEALTH_PORT, StreamService } from "../constructs/stream-service.ts";
import { WebSocketService } from "../constructs/websocket-service.ts";
import type { LakeStack } from "./lake.ts";
import type { NetworkStack } from "./network.ts";
import type { ProcessingStack } from "./processing.ts";
import type { SecurityStack } from "./security.ts";
import { MillraceStack } from "./stack.ts";
import type { StateStack } from "./state.ts";
import type { StreamingStack } from "./streaming.ts";

export interface ServingNeeds {
  readonly network: NetworkStack;
  readonly security: SecurityStack;
  readonly streaming: StreamingStack;
  readonly state: StateStack;
  readonly processing: ProcessingStack;
  readonly lake: LakeStack;
}

/**
 * Lambda's own bundle of Amazon's certificate authorities, DocumentDB's among them; since Node 20 it is not loaded by
 * itself.
 */
const LAMBDA_CA_FILE = "/var/runtime/ca-cert.pem";

/** REST API, WebSocket API, the service that feeds it, and the functions that store what the API reads. */
export class ServingStack extends MillraceStack {
  readonly rest: RestService;
  readonly webSocket: WebSocketService;
  readonly live: StreamService;
  readonly stores: readonly KafkaConsumer[];

  constructor(scope: Construct, id: string, config: Environment, needs: ServingNeeds) {
    super(scope, id, { config, stateful: false, description: "REST and WebSocket APIs, live service" });
    this.stores = this.#stores(needs);
    const restFunctions = this.#restFunctions(needs);
    this.rest = new RestService(this, {
      functions: restFunctions,
      keys: needs.security.keys,
      ticketsTable: needs.state.tables.tickets,
    });
    this.webSocket = new WebSocketService(this, {
      keys: needs.security.keys,
      ticketsTable: needs.state.tables.tickets,
      connectionsTable: needs.state.tables.connections,
    });
    this.live = this.#live(needs, this.webSocket.stage);
    new CfnOutput(this, "RestUrl", { value: this.rest.url, description: "REST API" });
    new CfnOutput(this, "WebSocketUrl", { value: this.webSocket.url, description: "WebSocket API" });
  }

  #mongo({ state }: ServingNeeds): {
    mongodbUri: string;
    mongodbDatabase: string;
    mongodbSecretArn: string;
    mongodbCaFile: string;
  } {
    return {
      mongodbUri: `mongodb://${state.documents.clusterEndpoint.socketAddress}/?tls=true&replicaSet=rs0&readPreference=secondaryPreferred&retryWrites=false`,
      mongodbDatabase: "millrace",
      mongodbSecretArn: state.documentsSecret.secretArn,
      mongodbCaFile: LAMBDA_CA_FILE,
    };
  }

  #stores(needs: ServingNeeds): KafkaConsumer[] {
    const { network, security, streaming, state } = needs;
    return (["store-sessions", "store-windows"] as const).map((name) => {
      const consumer = new KafkaConsumer(this, {
        name,
        description:
          name === "store-sessions"
            ? "sessions to the document database"
            : "windows of the last day to the document database",
        environment: writeSettings("store", { environment: this.config.name, ...this.#mongo(needs) }),
        cluster: streaming.cluster,
        key: security.keys.operations,
        network: { vpc: network.vpc, subnets: network.privateSubnets, securityGroup: network.securityGroups.store },
      });
      allowSecret(consumer, state.documentsSecret, security.keys.secrets);
      return consumer;
    });
  }

  #restFunctions(needs: ServingNeeds): Record<string, MillraceFunction> {
    const { network, security, streaming, state } = needs;
    const names = [...new Set<FunctionName>([...restRoutes.map((route) => route.function), restFallback])];
    const reads = new Set<FunctionName>(["read-health", "read-sessions", "read-sensors"]);
    const made = Object.fromEntries(
      names.map((name) => [
        name,
        new MillraceFunction(this, {
          name,
          description: `REST: ${restRoutes
            .filter((route) => route.function === name)
            .map(({ path }) => path)
            .join(", ")}`,
          environment: writeSettings("rest", {
            environment: this.config.name,
            ...(reads.has(name)
              ? {
                  kafkaBrokers: streaming.cluster.bootstrapBrokers,
                  kafkaAuth: "iam" as const,
                  ...this.#mongo(needs),
                  checkpointTable: state.tables.checkpoints.tableName,
                  featureGroup: featureGroupName(this.config.name),
                }
              : {}),
          }),
          timeoutSeconds: functions[name].timeoutSeconds,
          memoryMiB: functions[name].memoryMb,
          key: security.keys.operations,
          ...(reads.has(name)
            ? {
                network: {
                  vpc: network.vpc,
                  subnets: network.privateSubnets,
                  securityGroup: network.securityGroups.rest,
                },
              }
            : {}),
        }),
      ]),
    ) as Record<FunctionName, MillraceFunction>;
    for (const name of names)
      if (reads.has(name)) allowSecret(made[name], state.documentsSecret, security.keys.secrets);
    streaming.cluster.grantReadLag(made["read-health"], [topics.imuData.name], [pipelines.sensor.consumerGroup]);
    made["read-sensors"].role.addToPolicy(
      new iam.PolicyStatement({
        actions: ["sagemaker:GetRecord"],
        resources: [
          this.formatArn({
            service: "sagemaker",
            resource: "feature-group",
            resourceName: featureGroupName(this.config.name),
          }),
        ],
      }),
    );
    allowKey(made["read-sensors"], security.keys.readings, "sagemaker", ["Decrypt"]);
    return made;
  }

  #live(
    { network, security, streaming, state, processing }: ServingNeeds,
    stage: websocket.WebSocketStage,
  ): StreamService {
    const { config } = this;
    const service = new StreamService(this, {
      name: "live",
      program: "live",
      cluster: processing.cluster,
      desiredCount: config.live.tasks,
      cpu: 1024,
      memoryMiB: 2048,
      key: security.keys.operations,
      subnets: network.outboundSubnets,
      securityGroup: network.securityGroups.live,
      assignPublicIp: config.network.natGateways === 0,
      deployment: "rolling",
      environment: writeSettings("live", {
        environment: config.name,
        region: Aws.REGION,
        kafkaBrokers: streaming.cluster.bootstrapBrokers,
        kafkaAuth: "iam",
        connectionsTable: state.tables.connections.tableName,
        websocketEndpoint: stage.callbackUrl,
        healthPort: HEALTH_PORT,
      }),
    });
    streaming.cluster.grantRead(
      service,
      [topics.transformed, topics.aggregated, topics.sessions, topics.inference].map(({ name }) => name),
      [consumerGroups.live],
    );
    allowTable(service, state.tables.connections, security.keys.state, [
      "DescribeTable",
      "Scan",
      "GetItem",
      "DeleteItem",
    ]);
    service.taskRole.addToPolicy(
      new iam.PolicyStatement({
        actions: ["execute-api:ManageConnections"],
        resources: ["POST", "DELETE"].map((method) =>
          this.formatArn({
            service: "execute-api",
            resource: stage.api.apiId,
            resourceName: `${stage.stageName}/${method}/@connections/*`,
          }),
        ),
      }),
    );
    acknowledgeWildcards(service, { "/@connections/*": "API Gateway makes up the ids of connections" });
    return service;
  }
}
