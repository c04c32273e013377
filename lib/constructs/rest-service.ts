import {
  aws_apigateway as apigateway,
  aws_certificatemanager as acm,
  type aws_dynamodb as dynamodb,
  type aws_kms as kms,
  aws_route53_targets as targets,
  type aws_wafv2 as waf,
  Duration,
  RemovalPolicy,
  Size,
} from "aws-cdk-lib";
import { Construct } from "constructs";
import { runningPipelineNames } from "../../config/pipelines.ts";
import type { Environment, OwnDomain, OwnIssuer } from "../../config/schema.ts";
import { type Settings, writeSettings } from "../../config/settings.ts";
import { ALLOWED_HEADERS, PROBLEM_CONTENT_TYPE, PROBLEM_TYPE_PREFIX, problems } from "../../domain/api.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { methodsOf, restFallback, restRoutes, ticketRoute } from "../../domain/routes.ts";
import { resourceName } from "../names.ts";
import { acknowledge, acknowledgeManagedPolicies } from "../reusable/acknowledge.ts";
import { allowTable } from "../reusable/grants.ts";
import { RestFirewall } from "../reusable/rest-firewall.ts";
import type { DataClass } from "./data-class.ts";
import { domainAlias } from "./domain-alias.ts";
import { logGroup } from "./log-group.ts";
import { MillraceFunction } from "./millrace-function.ts";
import type { MillraceStack } from "./millrace-stack.ts";
import { COGNITO_GROUPS, type UserPool } from "./user-pool.ts";

export interface RestServiceProps {
  readonly functions: Readonly<Record<string, MillraceFunction>>;
  readonly keys: Readonly<Record<DataClass, kms.IKey>>;
  readonly ticketsTable: dynamodb.ITable;
  /** Null where the config names an issuer of its own, or none. */
  readonly users: UserPool | null;
}

/** The REST API of `domain/routes.ts`, with firewall, throttling, access log, JWT authorizer and WebSocket tickets. */
export class RestService extends Construct {
  readonly api: apigateway.RestApi;
  readonly webAcl: waf.CfnWebACL;
  readonly url: string;
  /** API Gateway's role for the logs of all APIs of the account, where the environment owns it. */
  readonly logRole: apigateway.CfnAccount | undefined;

  constructor(stack: MillraceStack, props: RestServiceProps) {
    super(stack, "Rest");
    const { config } = stack;
    this.api = this.#api(stack, props.keys.operations);
    this.logRole = this.api.node.findAll().find((child) => child instanceof apigateway.CfnAccount);
    this.#ownAnswers(config);
    const secured = this.#authorizer(stack, props);
    this.#routes(config, props.functions, secured);
    this.#tickets(stack, props, secured);
    this.webAcl = new RestFirewall(this, "Firewall", {
      name: resourceName(config, "api"),
      stage: this.api.deploymentStage,
    }).webAcl;
    this.url = config.api.domain === null ? this.api.url : this.#domain(config.api.domain);
    this.#acknowledge();
  }

  #api(stack: MillraceStack, key: kms.IKey): apigateway.RestApi {
    const { config } = stack;
    const accessLog = logGroup(this, "AccessLog", { config, name: "rest-access", key });
    return new apigateway.RestApi(this, "Api", {
      restApiName: resourceName(config, "api"),
      description: `Millrace ${config.name}`,
      endpointTypes: [apigateway.EndpointType.REGIONAL],
      cloudWatchRole: config.ownsAccountSettings,
      ...(config.ownsAccountSettings ? { cloudWatchRoleRemovalPolicy: RemovalPolicy.DESTROY } : {}),
      minCompressionSize: Size.kibibytes(1),
      deployOptions: {
        stageName: "v1",
        accessLogDestination: new apigateway.LogGroupLogDestination(accessLog),
        accessLogFormat: apigateway.AccessLogFormat.jsonWithStandardFields(),
        loggingLevel: apigateway.MethodLoggingLevel.ERROR,
        dataTraceEnabled: false,
        metricsEnabled: true,
        tracingEnabled: true,
        throttlingRateLimit: config.api.requestsPerSecond,
        throttlingBurstLimit: config.api.burst,
      },
    });
  }

  /**
   * What API Gateway answers by itself, as problem details that a page of another origin can read. Only where there is
   * one origin can the header name it; these answers have nothing of the data.
   */
  #ownAnswers({ api: { corsOrigins } }: Environment): void {
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
  #allowOrigins({ api }: Environment, path: apigateway.IResource, methods: readonly string[]): void {
    path.addCorsPreflight({
      allowOrigins: api.corsOrigins,
      allowMethods: [...methods],
      allowHeaders: [...ALLOWED_HEADERS],
      maxAge: Duration.hours(1),
    });
  }

  /**
   * The routes of the domain. A path's function takes every method, and answers 405 to what its path has not; the
   * fallback answers other paths with 404.
   */
  #routes(config: Environment, functions: RestServiceProps["functions"], secured: apigateway.MethodOptions): void {
    const routes = existingWhere(restRoutes, runningPipelineNames(config));
    const integrations = Object.fromEntries(
      Object.entries(functions).map(([name, made]) => [name, integrationOf(made)]),
    );
    for (const route of routes) {
      const path = this.api.root.resourceForPath(route.path);
      path.addMethod("ANY", integrations[route.function], route.auth === "jwt" ? secured : {});
      this.#allowOrigins(config, path, methodsOf([route]));
    }
    const fallback = integrations[restFallback];
    if (fallback) this.api.root.addProxy({ anyMethod: true, defaultIntegration: fallback });
  }

  #tickets(stack: MillraceStack, { keys, ticketsTable }: RestServiceProps, secured: apigateway.MethodOptions): void {
    const issue = new MillraceFunction(stack, {
      name: "issue-ticket",
      description: `REST: ${ticketRoute.path}, for a WebSocket connection`,
      environment: writeSettings("tickets", {
        environment: stack.config.name,
        corsOrigins: stack.config.api.corsOrigins,
        ticketsTable: ticketsTable.tableName,
      }),
      timeoutSeconds: 10,
      memoryMiB: 256,
      key: keys.operations,
    });
    allowTable(issue, ticketsTable, keys.state, ["PutItem"]);
    const path = this.api.root.resourceForPath(ticketRoute.path);
    path.addMethod(ticketRoute.method, integrationOf(issue), secured);
    this.#allowOrigins(stack.config, path, methodsOf([ticketRoute]));
  }

  /** How a route that needs a token is secured: not at all where the config names no issuer. */
  #authorizer(stack: MillraceStack, { keys, users }: RestServiceProps): apigateway.MethodOptions {
    const { auth } = stack.config.api;
    if (auth === null) return {};
    const handler = new MillraceFunction(stack, {
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
    });
    const authorizer = new apigateway.TokenAuthorizer(this, "Authorizer", {
      handler: handler.function,
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

function integrationOf(handler: MillraceFunction): apigateway.LambdaIntegration {
  return new apigateway.LambdaIntegration(handler.function, { allowTestInvoke: false });
}
