import {
  aws_apigatewayv2 as apigateway,
  aws_certificatemanager as acm,
  type aws_dynamodb as dynamodb,
  type aws_kms as kms,
  aws_logs as logs,
  aws_route53 as route53,
  aws_route53_targets as targets,
  RemovalPolicy,
} from "aws-cdk-lib";
import { WebSocketLambdaAuthorizer } from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import { WebSocketLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { Construct } from "constructs";
import { writeSettings } from "../../config/settings.ts";
import { functions, ROUTE_SELECTION, webSocketRoutes } from "../../domain/routes.ts";
import { logGroupName, resourceName } from "../names.ts";
import type { DataClass } from "../stacks/security.ts";
import type { MillraceStack } from "../stacks/stack.ts";
import { acknowledge } from "./acknowledge.ts";
import { allowTable, type TableAction } from "./grants.ts";
import { MillraceFunction } from "./millrace-function.ts";

export interface WebSocketServiceProps {
  readonly keys: Readonly<Record<DataClass, kms.IKey>>;
  readonly ticketsTable: dynamodb.ITable;
  readonly connectionsTable: dynamodb.ITable;
}

/** What each function does with the table of connections. */
const tableActions: Readonly<Record<string, readonly TableAction[]>> = {
  connect: ["PutItem"],
  disconnect: ["DeleteItem"],
  subscribe: ["GetItem", "UpdateItem"],
};

/** The WebSocket API of `domain/routes.ts`; a ticket lets in, where the API needs a token. */
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
    const accessLog = new logs.LogGroup(this, "AccessLog", {
      logGroupName: logGroupName(config, "websocket-access"),
      encryptionKey: props.keys.operations,
      retention: config.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.stage = new apigateway.WebSocketStage(this, "Stage", {
      webSocketApi: this.api,
      stageName: "v1",
      autoDeploy: true,
      throttle: { rateLimit: config.api.requestsPerSecond, burstLimit: config.api.burst },
      detailedMetricsEnabled: true,
      // Not the query string: tickets are in it.
      accessLogSettings: { destination: new apigateway.LogGroupLogDestination(accessLog) },
    });
    this.url = config.api.websocketDomain === null ? this.stage.url : this.#domain(config.api.websocketDomain);
    acknowledge(this.api, {
      APIG4:
        "an authorizer can be had on $connect alone, and is there wherever the config names an issuer: the other routes are those of a connection that was let in",
    });
  }

  #routes(stack: MillraceStack, { keys, connectionsTable, ticketsTable }: WebSocketServiceProps): void {
    const { config } = stack;
    const made = new Map<string, MillraceFunction>();
    for (const { function: name } of webSocketRoutes) {
      if (made.has(name)) continue;
      const handler = new MillraceFunction(stack, {
        name,
        description: `WebSocket: ${webSocketRoutes
          .filter((route) => route.function === name)
          .map(({ routeKey }) => routeKey)
          .join(", ")}`,
        environment: writeSettings("websocket", {
          environment: config.name,
          connectionsTable: connectionsTable.tableName,
        }),
        timeoutSeconds: functions[name].timeoutSeconds,
        memoryMiB: functions[name].memoryMb,
        key: keys.operations,
      });
      allowTable(handler, connectionsTable, keys.state, tableActions[name] ?? []);
      made.set(name, handler);
    }
    const authorizer = config.api.auth === null ? undefined : this.#authorizer(stack, keys, ticketsTable);
    for (const { routeKey, function: name, auth, responds } of webSocketRoutes) {
      const handler = made.get(name);
      if (!handler) continue;
      this.api.addRoute(routeKey, {
        integration: new WebSocketLambdaIntegration(`${routeKey.replace("$", "")}Integration`, handler.function),
        returnResponse: responds,
        ...(auth === "jwt" && authorizer ? { authorizer } : {}),
      });
    }
  }

  #authorizer(
    stack: MillraceStack,
    keys: WebSocketServiceProps["keys"],
    ticketsTable: dynamodb.ITable,
  ): WebSocketLambdaAuthorizer {
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

  #domain(domain: NonNullable<MillraceStack["config"]["api"]["websocketDomain"]>): string {
    const name = new apigateway.DomainName(this, "Domain", {
      domainName: domain.name,
      certificate: acm.Certificate.fromCertificateArn(this, "Certificate", domain.certificateArn),
    });
    new apigateway.ApiMapping(this, "Mapping", { api: this.api, domainName: name, stage: this.stage });
    if (domain.hostedZoneId && domain.hostedZoneName) {
      const zone = route53.HostedZone.fromHostedZoneAttributes(this, "Zone", {
        hostedZoneId: domain.hostedZoneId,
        zoneName: domain.hostedZoneName,
      });
      new route53.ARecord(this, "Alias", {
        zone,
        recordName: `${domain.name}.`,
        target: route53.RecordTarget.fromAlias(
          new targets.ApiGatewayv2DomainProperties(name.regionalDomainName, name.regionalHostedZoneId),
        ),
      });
    }
    return `wss://${domain.name}`;
  }
}
