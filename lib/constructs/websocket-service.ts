import {
  aws_apigatewayv2 as apigateway,
  aws_certificatemanager as acm,
  type aws_dynamodb as dynamodb,
  type aws_kms as kms,
  aws_route53_targets as targets,
} from "aws-cdk-lib";
import { WebSocketLambdaAuthorizer } from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import { WebSocketLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { Construct } from "constructs";
import { runningPipelineNames } from "../../config/pipelines.ts";
import type { OwnDomain } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { functions, ROUTE_SELECTION, webSocketRoutes, type FunctionName } from "../../domain/routes.ts";
import { resourceName } from "../names.ts";
import { acknowledge } from "../reusable/acknowledge.ts";
import { allowTable, type TableAction } from "../reusable/grants.ts";
import type { DataClass } from "./data-class.ts";
import { domainAlias } from "./domain-alias.ts";
import { logGroup } from "./log-group.ts";
import { MillraceFunction } from "./millrace-function.ts";
import type { MillraceStack } from "./millrace-stack.ts";

export interface WebSocketServiceProps {
  readonly keys: Readonly<Record<DataClass, kms.IKey>>;
  readonly ticketsTable: dynamodb.ITable;
  readonly connectionsTable: dynamodb.ITable;
}

/** What each function may do with the table of connections. */
const tableActions: Readonly<Record<string, readonly TableAction[]>> = {
  connect: ["PutItem"],
  disconnect: ["DeleteItem"],
  subscribe: ["GetItem", "UpdateItem"],
};

/** The WebSocket API of `domain/routes.ts`. Where the REST API needs a token, this one needs a ticket. */
export class WebSocketService extends Construct {
  readonly api: apigateway.WebSocketApi;
  readonly stage: apigateway.WebSocketStage;
  readonly url: string;

  constructor(stack: MillraceStack, props: WebSocketServiceProps) {
    super(stack, "WebSocket");
    const { config } = stack;
    this.api = new apigateway.WebSocketApi(this, "Api", {
      apiName: resourceName(config, "live"),
      description: `Millrace ${config.name}: live results`,
      routeSelectionExpression: ROUTE_SELECTION,
    });
    this.#routes(stack, props);
    const accessLog = logGroup(this, "AccessLog", { config, name: "websocket-access", key: props.keys.operations });
    this.stage = new apigateway.WebSocketStage(this, "Stage", {
      webSocketApi: this.api,
      stageName: "v1",
      autoDeploy: true,
      throttle: { rateLimit: config.api.requestsPerSecond, burstLimit: config.api.burst },
      detailedMetricsEnabled: true,
      // The format leaves out the query string, which has the ticket.
      accessLogSettings: { destination: new apigateway.LogGroupLogDestination(accessLog) },
    });
    this.url = config.api.websocketDomain === null ? this.stage.url : this.#domain(config.api.websocketDomain);
    acknowledge(this.api, {
      APIG4:
        "API Gateway takes an authorizer on $connect alone, and it is there wherever the config names an issuer; " +
        "the other routes serve connections that it let in",
    });
  }

  #routes(stack: MillraceStack, props: WebSocketServiceProps): void {
    const names = [...new Set(webSocketRoutes.map((route) => route.function))];
    const handlers = new Map(names.map((name) => [name, this.#handler(stack, name, props)]));
    const authorizer = stack.config.api.auth === null ? undefined : this.#authorizer(stack, props);
    for (const { routeKey, function: name, auth, responds } of webSocketRoutes) {
      const handler = handlers.get(name);
      if (!handler) continue;
      this.api.addRoute(routeKey, {
        integration: new WebSocketLambdaIntegration(`${routeKey.replace("$", "")}Integration`, handler.function),
        returnResponse: responds,
        ...(auth === "jwt" && authorizer ? { authorizer } : {}),
      });
    }
  }

  #handler(
    stack: MillraceStack,
    name: FunctionName,
    { keys, connectionsTable }: WebSocketServiceProps,
  ): MillraceFunction {
    const routeKeys = webSocketRoutes.filter((route) => route.function === name).map(({ routeKey }) => routeKey);
    const handler = new MillraceFunction(stack, {
      name,
      description: `WebSocket: ${routeKeys.join(", ")}`,
      environment: writeSettings("websocket", {
        environment: stack.config.name,
        pipelines: runningPipelineNames(stack.config),
        connectionsTable: connectionsTable.tableName,
      }),
      timeoutSeconds: functions[name].timeoutSeconds,
      memoryMiB: functions[name].memoryMb,
      key: keys.operations,
    });
    allowTable(handler, connectionsTable, keys.state, tableActions[name] ?? []);
    return handler;
  }

  #authorizer(stack: MillraceStack, { keys, ticketsTable }: WebSocketServiceProps): WebSocketLambdaAuthorizer {
    const handler = new MillraceFunction(stack, {
      name: "authorize-connection",
      description: "WebSocket authorizer: a ticket, once",
      environment: writeSettings("tickets", { environment: stack.config.name, ticketsTable: ticketsTable.tableName }),
      timeoutSeconds: 10,
      memoryMiB: 256,
      key: keys.operations,
    });
    allowTable(handler, ticketsTable, keys.state, ["DeleteItem"]);
    return new WebSocketLambdaAuthorizer("Ticket", handler.function, {
      identitySource: ["route.request.querystring.ticket"],
    });
  }

  #domain(domain: OwnDomain): string {
    const name = new apigateway.DomainName(this, "Domain", {
      domainName: domain.name,
      certificate: acm.Certificate.fromCertificateArn(this, "Certificate", domain.certificateArn),
    });
    new apigateway.ApiMapping(this, "Mapping", { api: this.api, domainName: name, stage: this.stage });
    domainAlias(
      this,
      domain,
      new targets.ApiGatewayv2DomainProperties(name.regionalDomainName, name.regionalHostedZoneId),
    );
    return `wss://${domain.name}`;
  }
}
