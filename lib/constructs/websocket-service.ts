import {
  aws_apigatewayv2 as apigateway,
  aws_certificatemanager as acm,
  type aws_lambda as lambda,
  aws_route53_targets as targets,
} from "aws-cdk-lib";
import { WebSocketLambdaAuthorizer } from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import { WebSocketLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { Construct } from "constructs";
import { ROUTE_SELECTION, type WebSocketRoute } from "../../domain/routes.ts";
import { acknowledge } from "../reusable/acknowledge.ts";
import { EncryptedLogs, type EncryptedLogsProps } from "../reusable/encrypted-logs.ts";
import { domainAlias, type OwnDomain } from "./domain-alias.ts";

export interface WebSocketServiceProps {
  readonly apiName: string;
  readonly description: string;
  readonly accessLog: EncryptedLogsProps;
  readonly routes: readonly WebSocketRoute[];
  /** By the names that the routes have. */
  readonly functions: Readonly<Record<string, lambda.IFunction>>;
  /**
   * Says whether the ticket of a connection is good, for the route whose `auth` is `jwt`.
   *
   * @default - every route is open
   */
  readonly authorizer?: lambda.IFunction;
  /** Of all clients together. */
  readonly requestsPerSecond: number;
  readonly burst: number;
  /** @default - the name that API Gateway makes up */
  readonly domain?: OwnDomain;
}

/** A WebSocket API whose routes are functions. Where a REST API needs a token, this one needs a ticket. */
export class WebSocketService extends Construct {
  readonly api: apigateway.WebSocketApi;
  readonly stage: apigateway.WebSocketStage;
  readonly url: string;

  constructor(scope: Construct, id: string, props: WebSocketServiceProps) {
    super(scope, id);
    this.api = new apigateway.WebSocketApi(this, "Api", {
      apiName: props.apiName,
      description: props.description,
      routeSelectionExpression: ROUTE_SELECTION,
    });
    this.#routes(props);
    const accessLog = new EncryptedLogs(this, "AccessLog", props.accessLog);
    this.stage = new apigateway.WebSocketStage(this, "Stage", {
      webSocketApi: this.api,
      stageName: "v1",
      autoDeploy: true,
      throttle: { rateLimit: props.requestsPerSecond, burstLimit: props.burst },
      detailedMetricsEnabled: true,
      // The format leaves out the query string, which has the ticket.
      accessLogSettings: { destination: new apigateway.LogGroupLogDestination(accessLog) },
    });
    this.url = props.domain === undefined ? this.stage.url : this.#domain(props.domain);
    acknowledge(this.api, {
      APIG4:
        "API Gateway takes an authorizer on $connect alone, and it is there wherever the config names an issuer; " +
        "the other routes serve connections that it let in",
    });
  }

  #routes({ routes, functions, authorizer: ticket }: WebSocketServiceProps): void {
    const authorizer =
      ticket === undefined
        ? undefined
        : new WebSocketLambdaAuthorizer("Ticket", ticket, { identitySource: ["route.request.querystring.ticket"] });
    for (const { routeKey, function: name, auth, responds } of routes) {
      const handler = functions[name];
      if (!handler) throw new Error(`the route ${routeKey} has no function ${name}`);
      this.api.addRoute(routeKey, {
        integration: new WebSocketLambdaIntegration(`${routeKey.replace("$", "")}Integration`, handler),
        returnResponse: responds,
        ...(auth === "jwt" && authorizer ? { authorizer } : {}),
      });
    }
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
