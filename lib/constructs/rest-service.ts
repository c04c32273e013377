import {
  aws_apigateway as apigateway,
  aws_certificatemanager as acm,
  type aws_lambda as lambda,
  aws_route53_targets as targets,
  type aws_wafv2 as waf,
  Duration,
  RemovalPolicy,
  Size,
} from "aws-cdk-lib";
import { Construct } from "constructs";
import { ALLOWED_HEADERS, PROBLEM_CONTENT_TYPE, PROBLEM_TYPE_PREFIX, problems } from "../../domain/api.ts";
import { methodsOf, type RestRoute, ticketRoute } from "../../domain/routes.ts";
import { acknowledge, acknowledgeManagedPolicies } from "../reusable/acknowledge.ts";
import { EncryptedLogs, type EncryptedLogsProps } from "../reusable/encrypted-logs.ts";
import { RestFirewall } from "../reusable/rest-firewall.ts";
import { domainAlias, type OwnDomain } from "./domain-alias.ts";

export interface RestServiceProps {
  /** Name of the API, and of its web ACL. */
  readonly restApiName: string;
  readonly description: string;
  readonly accessLog: EncryptedLogsProps;
  readonly routes: readonly RestRoute[];
  /** By the names that the routes have. */
  readonly functions: Readonly<Record<string, lambda.IFunction>>;
  /** Answers to other paths. */
  readonly fallback: lambda.IFunction;
  /** Answers to `POST /tickets`, with a ticket for a WebSocket connection. */
  readonly issueTicket: lambda.IFunction;
  /**
   * Says whether a token is good, for the routes whose `auth` is `jwt`.
   *
   * @default - every route is open
   */
  readonly authorizer?: lambda.IFunction;
  /** Origins of pages that may read the answers. */
  readonly corsOrigins: readonly string[];
  /** Of all callers together. */
  readonly requestsPerSecond: number;
  readonly burst: number;
  /**
   * Whether it makes API Gateway's role for logs, which exists once in an account and region.
   *
   * @default false
   */
  readonly makesLogRole?: boolean;
  /** @default - the name that API Gateway makes up */
  readonly domain?: OwnDomain;
}

/** A REST API whose routes are functions, with firewall, throttling, access log, JWT authorizer, WebSocket tickets. */
export class RestService extends Construct {
  readonly api: apigateway.RestApi;
  readonly webAcl: waf.CfnWebACL;
  readonly url: string;
  /** API Gateway's role for the logs of all APIs of the account, where this one makes it. */
  readonly logRole: apigateway.CfnAccount | undefined;

  constructor(scope: Construct, id: string, props: RestServiceProps) {
    super(scope, id);
    this.api = this.#api(props);
    this.logRole = this.api.node.findAll().find((child) => child instanceof apigateway.CfnAccount);
    this.#ownAnswers(props.corsOrigins);
    const secured = this.#secured(props.authorizer);
    this.#routes(props, secured);
    this.#tickets(props, secured);
    this.webAcl = new RestFirewall(this, "Firewall", {
      name: props.restApiName,
      stage: this.api.deploymentStage,
    }).webAcl;
    this.url = props.domain === undefined ? this.api.url : this.#domain(props.domain);
    this.#acknowledge();
  }

  #api(props: RestServiceProps): apigateway.RestApi {
    const accessLog = new EncryptedLogs(this, "AccessLog", props.accessLog);
    const makesLogRole = props.makesLogRole ?? false;
    return new apigateway.RestApi(this, "Api", {
      restApiName: props.restApiName,
      description: props.description,
      endpointTypes: [apigateway.EndpointType.REGIONAL],
      cloudWatchRole: makesLogRole,
      ...(makesLogRole ? { cloudWatchRoleRemovalPolicy: RemovalPolicy.DESTROY } : {}),
      minCompressionSize: Size.kibibytes(1),
      deployOptions: {
        stageName: "v1",
        accessLogDestination: new apigateway.LogGroupLogDestination(accessLog),
        accessLogFormat: apigateway.AccessLogFormat.jsonWithStandardFields(),
        loggingLevel: apigateway.MethodLoggingLevel.ERROR,
        dataTraceEnabled: false,
        metricsEnabled: true,
        tracingEnabled: true,
        throttlingRateLimit: props.requestsPerSecond,
        throttlingBurstLimit: props.burst,
      },
    });
  }

  /**
   * What API Gateway answers by itself, as problem details that a page of another origin can read. Only where there is
   * one origin can the header name it; these answers have nothing of the data.
   */
  #ownAnswers(corsOrigins: readonly string[]): void {
    const [origin = "*", ...others] = corsOrigins;
    const responseHeaders = {
      "Access-Control-Allow-Origin": `'${others.length === 0 ? origin : "*"}'`,
      "Content-Type": `'${PROBLEM_CONTENT_TYPE}'`,
    };
    const unnamed = '{"type":"about:blank","title":$context.error.messageString}';
    for (const [id, type] of [
      ["ClientErrors", apigateway.ResponseType.DEFAULT_4XX],
      ["ServerErrors", apigateway.ResponseType.DEFAULT_5XX],
    ] as const)
      this.api.addGatewayResponse(id, { type, responseHeaders, templates: { "application/json": unnamed } });
    for (const [id, type, code, detail] of [
      ["NoToken", apigateway.ResponseType.UNAUTHORIZED, "unauthorized", "send `Authorization: Bearer <JWT>`"],
      ["Throttled", apigateway.ResponseType.THROTTLED, "too-many-requests", "wait, then try again"],
      // API Gateway's name for a path or a method that is not there; its own answer would be 403.
      [
        "NotThere",
        apigateway.ResponseType.MISSING_AUTHENTICATION_TOKEN,
        "not-found",
        "there is no such path or method: GET / lists what there is",
      ],
    ] as const) {
      const { status, title } = problems[code];
      const body = JSON.stringify({ type: `${PROBLEM_TYPE_PREFIX}${code}`, title, status, detail });
      this.api.addGatewayResponse(id, {
        type,
        statusCode: String(status),
        responseHeaders,
        templates: { "application/json": body },
      });
    }
  }

  /** Says which origins may send which requests to a path. */
  #allowOrigins(origins: readonly string[], path: apigateway.IResource, methods: readonly string[]): void {
    path.addCorsPreflight({
      allowOrigins: [...origins],
      allowMethods: [...methods],
      allowHeaders: [...ALLOWED_HEADERS],
      maxAge: Duration.hours(1),
    });
  }

  /**
   * The routes. A path's function takes every method, and answers 405 to what its path has not; the fallback answers
   * other paths with 404.
   */
  #routes({ routes, functions, fallback, corsOrigins }: RestServiceProps, secured: apigateway.MethodOptions): void {
    // One for each function, whatever number of routes has it.
    const integrations = new Map<lambda.IFunction, apigateway.LambdaIntegration>();
    const integrationOf = (handler: lambda.IFunction): apigateway.LambdaIntegration => {
      const made = integrations.get(handler) ?? integration(handler);
      integrations.set(handler, made);
      return made;
    };
    for (const route of routes) {
      const handler = functions[route.function];
      if (!handler) throw new Error(`the route ${route.path} has no function ${route.function}`);
      const path = this.api.root.resourceForPath(route.path);
      path.addMethod("ANY", integrationOf(handler), route.auth === "jwt" ? secured : {});
      this.#allowOrigins(corsOrigins, path, methodsOf([route]));
    }
    this.api.root.addProxy({ anyMethod: true, defaultIntegration: integrationOf(fallback) });
  }

  #tickets({ issueTicket, corsOrigins }: RestServiceProps, secured: apigateway.MethodOptions): void {
    const path = this.api.root.resourceForPath(ticketRoute.path);
    path.addMethod(ticketRoute.method, integration(issueTicket), secured);
    this.#allowOrigins(corsOrigins, path, methodsOf([ticketRoute]));
  }

  /** How a route that needs a token is secured: not at all where nothing verifies one. */
  #secured(handler: lambda.IFunction | undefined): apigateway.MethodOptions {
    if (handler === undefined) return {};
    const authorizer = new apigateway.TokenAuthorizer(this, "Authorizer", {
      handler,
      resultsCacheTtl: Duration.minutes(5),
      validationRegex: "^[Bb]earer [-0-9A-Za-z_.]+$",
    });
    return { authorizer, authorizationType: apigateway.AuthorizationType.CUSTOM };
  }

  #domain(domain: OwnDomain): string {
    const name = this.api.addDomainName("Domain", {
      domainName: domain.name,
      certificate: acm.Certificate.fromCertificateArn(this, "Certificate", domain.certificateArn),
      endpointType: apigateway.EndpointType.REGIONAL,
      securityPolicy: apigateway.SecurityPolicy.TLS_1_2,
    });
    domainAlias(this, domain, new targets.ApiGatewayDomain(name));
    return `https://${domain.name}/`;
  }

  #acknowledge(): void {
    acknowledge(this.api, {
      APIG2:
        "the functions check every parameter against the schemas of domain/api.ts, " +
        "and answer with problem details that name each mistake",
      APIG4:
        "`/`, `/health` and the answer to a preflight are open by contract; all else has the JWT authorizer " +
        "wherever the config names an issuer, and a config that keeps data must name one",
      COG4: "tokens come from the issuer of the config, which need not be Cognito: a Lambda authorizer verifies them",
    });
    acknowledgeManagedPolicies(this.api, {
      AmazonAPIGatewayPushToCloudWatchLogs:
        "API Gateway's own policy for its log role, which is one for the whole account",
    });
  }
}

function integration(handler: lambda.IFunction): apigateway.LambdaIntegration {
  return new apigateway.LambdaIntegration(handler, { allowTestInvoke: false });
}
