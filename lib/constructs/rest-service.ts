import {
  aws_apigateway as apigateway,
  aws_certificatemanager as acm,
  type aws_dynamodb as dynamodb,
  type aws_kms as kms,
  aws_logs as logs,
  aws_route53 as route53,
  aws_route53_targets as targets,
  aws_wafv2 as waf,
  Duration,
  RemovalPolicy,
  Size,
} from "aws-cdk-lib";
import { Construct } from "constructs";
import { writeSettings } from "../../config/settings.ts";
import { restFallback, restRoutes } from "../../domain/routes.ts";
import { logGroupName, resourceName } from "../names.ts";
import type { DataClass } from "../stacks/security.ts";
import type { MillraceStack } from "../stacks/stack.ts";
import { acknowledge, acknowledgeManagedPolicies } from "./acknowledge.ts";
import { allowTable } from "./grants.ts";
import { MillraceFunction } from "./millrace-function.ts";

export interface RestServiceProps {
  readonly functions: Readonly<Record<string, MillraceFunction>>;
  readonly keys: Readonly<Record<DataClass, kms.IKey>>;
  readonly ticketsTable: dynamodb.ITable;
}

/** Requests from one address in five minutes above which the firewall refuses it. */
const REQUESTS_PER_ADDRESS = 2_000;

/** The REST API of `domain/routes.ts`: firewall, throttling, access log, JWT authorizer, and tickets for the WebSocket. */
export class RestService extends Construct {
  readonly api: apigateway.RestApi;
  readonly webAcl: waf.CfnWebACL;
  readonly url: string;

  constructor(stack: MillraceStack, props: RestServiceProps) {
    super(stack, "Rest");
    const { config } = stack;
    const accessLog = new logs.LogGroup(this, "AccessLog", {
      logGroupName: logGroupName(config, "rest-access"),
      encryptionKey: props.keys.operations,
      retention: config.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.api = new apigateway.RestApi(this, "Api", {
      restApiName: resourceName(config, "api"),
      description: `Millrace ${config.name}`,
      endpointTypes: [apigateway.EndpointType.REGIONAL],
      cloudWatchRole: config.ownsAccountSettings,
      ...(config.ownsAccountSettings ? { cloudWatchRoleRemovalPolicy: RemovalPolicy.DESTROY } : {}),
      minCompressionSize: Size.kibibytes(1),
      defaultCorsPreflightOptions: {
        allowOrigins: config.api.corsOrigins,
        allowMethods: ["GET", "POST", "OPTIONS"],
        allowHeaders: ["authorization", "content-type"],
        maxAge: Duration.hours(1),
      },
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
    // What API Gateway answers by itself (no token, too many requests) a browser can read only with this header; a preflight names the origins.
    for (const [id, type] of [
      ["ClientErrors", apigateway.ResponseType.DEFAULT_4XX],
      ["ServerErrors", apigateway.ResponseType.DEFAULT_5XX],
    ] as const)
      this.api.addGatewayResponse(id, { type, responseHeaders: { "Access-Control-Allow-Origin": "'*'" } });
    this.#routes(stack, props);
    this.webAcl = this.#firewall(stack);
    this.api.addUsagePlan("UsagePlan", {
      name: resourceName(config, "standard"),
      throttle: { rateLimit: config.api.requestsPerSecond, burstLimit: config.api.burst },
      quota: { limit: config.api.requestsPerDay, period: apigateway.Period.DAY },
      apiStages: [{ stage: this.api.deploymentStage }],
    });
    this.url = config.api.domain === null ? this.api.url : this.#domain(config.api.domain);
    acknowledge(this.api, {
      APIG2:
        "the functions check every parameter against the schemas of domain/api.ts, and answer with problem details that name each mistake",
      APIG4:
        "`/` and `/health` are open by contract, and so is the answer to a preflight; the rest has the JWT authorizer wherever the config names an issuer (config refuses none where data is kept)",
      COG4: "tokens come from the issuer of the config, which need not be Cognito: a Lambda authorizer verifies them",
    });
    acknowledgeManagedPolicies(this.api, {
      AmazonAPIGatewayPushToCloudWatchLogs:
        "API Gateway's own policy for its log role, which is one for the whole account",
    });
  }

  #routes(stack: MillraceStack, { functions, keys, ticketsTable }: RestServiceProps): void {
    const integrations = Object.fromEntries(
      Object.entries(functions).map(([name, made]) => [
        name,
        new apigateway.LambdaIntegration(made.function, { allowTestInvoke: false }),
      ]),
    );
    const authorizer = this.#authorizer(stack, keys);
    const secured: apigateway.MethodOptions = authorizer
      ? { authorizer, authorizationType: apigateway.AuthorizationType.CUSTOM }
      : {};
    for (const route of restRoutes)
      this.api.root
        .resourceForPath(route.path)
        .addMethod(route.method, integrations[route.function], route.auth === "jwt" ? secured : {});
    const fallback = integrations[restFallback];
    if (fallback) {
      // Other methods of known paths are answered with 405, other paths with 404.
      for (const path of new Set(restRoutes.map((route) => route.path)))
        this.api.root.resourceForPath(path).addMethod("ANY", fallback);
      this.api.root.addProxy({ anyMethod: true, defaultIntegration: fallback });
    }
    const issue = new MillraceFunction(stack, {
      name: "issue-ticket",
      description: "REST: /tickets, for a WebSocket connection",
      environment: writeSettings("tickets", { environment: stack.config.name, ticketsTable: ticketsTable.tableName }),
      timeoutSeconds: 10,
      memoryMiB: 256,
      key: keys.operations,
    });
    allowTable(issue, ticketsTable, keys.state, ["PutItem"]);
    this.api.root
      .resourceForPath("/tickets")
      .addMethod("POST", new apigateway.LambdaIntegration(issue.function, { allowTestInvoke: false }), secured);
  }

  #authorizer(stack: MillraceStack, keys: RestServiceProps["keys"]): apigateway.TokenAuthorizer | undefined {
    const { auth } = stack.config.api;
    if (auth === null) return undefined;
    const handler = new MillraceFunction(stack, {
      name: "authorize-request",
      description: "REST authorizer: verifies the JWT",
      environment: writeSettings("authorizer", {
        environment: stack.config.name,
        jwtIssuer: auth.issuer,
        jwtAudience: auth.audience,
        jwksUri: auth.jwksUri,
      }),
      timeoutSeconds: 10,
      memoryMiB: 256,
      key: keys.operations,
    });
    return new apigateway.TokenAuthorizer(this, "Authorizer", {
      handler: handler.function,
      resultsCacheTtl: Duration.minutes(5),
      validationRegex: "^[Bb]earer [-0-9A-Za-z_.]+$",
    });
  }

  /** AWS's rules against known attacks, and a limit per address. */
  #firewall(stack: MillraceStack): waf.CfnWebACL {
    const visible = (metricName: string): waf.CfnWebACL.VisibilityConfigProperty => ({
      cloudWatchMetricsEnabled: true,
      sampledRequestsEnabled: true,
      metricName,
    });
    const managed = [
      "AWSManagedRulesCommonRuleSet",
      "AWSManagedRulesKnownBadInputsRuleSet",
      "AWSManagedRulesAmazonIpReputationList",
    ];
    const webAcl = new waf.CfnWebACL(this, "Firewall", {
      name: resourceName(stack.config, "api"),
      scope: "REGIONAL",
      defaultAction: { allow: {} },
      visibilityConfig: visible(resourceName(stack.config, "api")),
      rules: [
        ...managed.map((name, priority) => ({
          name,
          priority,
          overrideAction: { none: {} },
          statement: { managedRuleGroupStatement: { vendorName: "AWS", name } },
          visibilityConfig: visible(name),
        })),
        {
          name: "per-address",
          priority: managed.length,
          action: { block: {} },
          statement: {
            rateBasedStatement: { limit: REQUESTS_PER_ADDRESS, aggregateKeyType: "IP", evaluationWindowSec: 300 },
          },
          visibilityConfig: visible("per-address"),
        },
      ],
    });
    new waf.CfnWebACLAssociation(this, "FirewallAssociation", {
      webAclArn: webAcl.attrArn,
      resourceArn: this.api.deploymentStage.stageArn,
    });
    return webAcl;
  }

  #domain(domain: NonNullable<MillraceStack["config"]["api"]["domain"]>): string {
    const name = this.api.addDomainName("Domain", {
      domainName: domain.name,
      certificate: acm.Certificate.fromCertificateArn(this, "Certificate", domain.certificateArn),
      endpointType: apigateway.EndpointType.REGIONAL,
      securityPolicy: apigateway.SecurityPolicy.TLS_1_2,
    });
    if (domain.hostedZoneId && domain.hostedZoneName) {
      const zone = route53.HostedZone.fromHostedZoneAttributes(this, "Zone", {
        hostedZoneId: domain.hostedZoneId,
        zoneName: domain.hostedZoneName,
      });
      new route53.ARecord(this, "Alias", {
        zone,
        recordName: `${domain.name}.`,
        target: route53.RecordTarget.fromAlias(new targets.ApiGatewayDomain(name)),
      });
    }
    return `https://${domain.name}/`;
  }
}
