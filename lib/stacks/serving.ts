import { CfnOutput } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { runningPipelineNames } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { existingWhere, type OfPipeline } from "../../domain/pipelines.ts";
import { type FunctionName, functions, restFallback, restRoutes, webSocketRoutes } from "../../domain/routes.ts";
import type { KafkaConsumer } from "../constructs/kafka-consumer.ts";
import { logGroupProps } from "../constructs/log-group.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { RestService } from "../constructs/rest-service.ts";
import { WebSocketService } from "../constructs/websocket-service.ts";
import { resourceName } from "../names.ts";
import type { ContainerService } from "../reusable/container-service.ts";
import { allowSecret } from "../reusable/grants.ts";
import { kafkaConsumer } from "./consumers.ts";
import { documentSettings } from "./document-settings.ts";
import type { LakeStack } from "./lake.ts";
import { liveService, type LiveNeeds } from "./live-service.ts";
import { requestAuthorizer, restFunctions, type RestNeeds, ticketIssuer } from "./rest-functions.ts";
import { connectionAuthorizer, webSocketFunctions } from "./websocket-functions.ts";

export interface ServingNeeds extends RestNeeds, LiveNeeds {
  /** Deployed before: the REST functions read the feature group of this stack. */
  readonly lake: LakeStack;
}

/** Functions that store what the REST API reads, with their descriptions. */
const stores = {
  "store-sessions": "sessions to the document database",
  "store-windows": "windows of the last day to the document database",
  "store-dead-letters": "dead letters to the document database",
  "store-market": "bars, positions and alerts to the document database",
} as const satisfies Partial<Record<FunctionName, string>>;

/** REST API, WebSocket API, the service that feeds it, and the functions that store what the REST API reads. */
export class ServingStack extends MillraceStack {
  readonly rest: RestService;
  readonly webSocket: WebSocketService;
  readonly live: ContainerService;
  readonly stores: readonly KafkaConsumer[];

  constructor(scope: Construct, id: string, config: Environment, needs: ServingNeeds) {
    super(scope, id, { config, stateful: false, description: "REST and WebSocket APIs, live service" });
    this.stores = this.#stores(needs);
    this.rest = this.#rest(needs);
    this.webSocket = this.#webSocket(needs);
    // API Gateway refuses a stage with logs while the account has no role for them.
    if (this.rest.logRole) this.webSocket.stage.node.addDependency(this.rest.logRole);
    this.live = liveService(this, this.webSocket.stage, needs);
    new CfnOutput(this, "RestUrl", { value: this.rest.url, description: "REST API" });
    new CfnOutput(this, "WebSocketUrl", { value: this.webSocket.url, description: "WebSocket API" });
  }

  #rest(needs: ServingNeeds): RestService {
    const { config } = this;
    const { api } = config;
    const functions = restFunctions(this, needs);
    const authorizer = requestAuthorizer(this, needs);
    return new RestService(this, "Rest", {
      restApiName: resourceName(config, "api"),
      description: `Millrace ${config.name}`,
      accessLog: logGroupProps({ config, name: "rest-access", key: needs.security.keys.operations }),
      routes: existingWhere(restRoutes, runningPipelineNames(config)),
      functions,
      fallback: functions[restFallback]!,
      issueTicket: ticketIssuer(this, needs),
      ...(authorizer && { authorizer }),
      corsOrigins: api.corsOrigins,
      requestsPerSecond: api.requestsPerSecond,
      burst: api.burst,
      makesLogRole: config.ownsAccountSettings,
      ...(api.domain && { domain: api.domain }),
    });
  }

  #webSocket(needs: ServingNeeds): WebSocketService {
    const { config } = this;
    const { api } = config;
    const authorizer = connectionAuthorizer(this, needs);
    return new WebSocketService(this, "WebSocket", {
      apiName: resourceName(config, "live"),
      description: `Millrace ${config.name}: live results`,
      accessLog: logGroupProps({ config, name: "websocket-access", key: needs.security.keys.operations }),
      routes: webSocketRoutes,
      functions: webSocketFunctions(this, needs),
      ...(authorizer && { authorizer }),
      requestsPerSecond: api.requestsPerSecond,
      burst: api.burst,
      ...(api.websocketDomain && { domain: api.websocketDomain }),
    });
  }

  #stores({ network, security, streaming, state }: ServingNeeds): KafkaConsumer[] {
    const names = Object.keys(stores) as (keyof typeof stores)[];
    const there = existingWhere(
      names.map((name): OfPipeline & { name: typeof name } => ({ ...functions[name], name })),
      runningPipelineNames(this.config),
    );
    return there.map(({ name }) => {
      const consumer = kafkaConsumer(this, {
        name,
        description: stores[name],
        environment: writeSettings("store", { environment: this.config.name, ...documentSettings(state) }),
        cluster: streaming.cluster,
        key: security.keys.operations,
        network: { vpc: network.vpc, subnets: network.privateSubnets, securityGroup: network.securityGroups.store },
      });
      allowSecret(consumer, state.documentsSecret, security.keys.secrets);
      return consumer;
    });
  }
}
