import { STATUS_CODES } from "node:http";
import {
  aws_apigateway as apigateway,
  type aws_ec2 as ec2,
  aws_iam as iam,
  type aws_lambda as lambda,
  Aws,
} from "aws-cdk-lib";
import { Construct } from "constructs";
import { PROBLEM_CONTENT_TYPE } from "../../domain/api.ts";
import { operatorRoutes } from "../../domain/routes.ts";
import { acknowledge, acknowledgeWildcards } from "../reusable/acknowledge.ts";
import { EncryptedLogs, type EncryptedLogsProps } from "../reusable/encrypted-logs.ts";
import { allow } from "../reusable/grants.ts";

/** Requests a second, and at once: a handful of people, and a scraper. */
const REQUESTS_PER_SECOND = 20;
const BURST = 40;

export interface OperatorsApiProps {
  readonly restApiName: string;
  readonly description: string;
  readonly accessLog: EncryptedLogsProps;
  /** By which alone it can be reached. */
  readonly endpoint: ec2.IInterfaceVpcEndpoint;
  /** Of the routes of `operatorRoutes`, by name. */
  readonly functions: Readonly<Record<string, lambda.IFunction>>;
}

/**
 * The operators' API: private, reached through one VPC endpoint alone, by requests that are signed with the credentials
 * of a role that may invoke it (`AWS_IAM`). So it needs no issuer of tokens, and who may take the role is an operator.
 */
export class OperatorsApi extends Construct {
  readonly api: apigateway.RestApi;
  /** Where it is reached from inside the VPC: the endpoint has no private names, so this one leads to it. */
  readonly url: string;

  constructor(scope: Construct, id: string, props: OperatorsApiProps) {
    super(scope, id);
    const { endpoint, functions } = props;
    this.api = new apigateway.RestApi(this, "Api", {
      restApiName: props.restApiName,
      description: props.description,
      endpointConfiguration: { types: [apigateway.EndpointType.PRIVATE], vpcEndpoints: [endpoint] },
      policy: policyOf(endpoint),
      cloudWatchRole: false,
      deployOptions: {
        stageName: "v1",
        accessLogDestination: new apigateway.LogGroupLogDestination(
          new EncryptedLogs(this, "AccessLog", props.accessLog),
        ),
        accessLogFormat: apigateway.AccessLogFormat.custom(ACCESS_LOG_FORMAT),
        loggingLevel: apigateway.MethodLoggingLevel.ERROR,
        dataTraceEnabled: false,
        metricsEnabled: true,
        tracingEnabled: true,
        throttlingRateLimit: REQUESTS_PER_SECOND,
        throttlingBurstLimit: BURST,
      },
    });
    this.#ownAnswers();
    this.#routes(functions);
    this.url = `https://${this.api.restApiId}-${endpoint.vpcEndpointId}.execute-api.${Aws.REGION}.${Aws.URL_SUFFIX}/v1`;
    this.#acknowledge();
  }

  /** What API Gateway answers by itself, as problem details. */
  #ownAnswers(): void {
    for (const [type, status] of ownAnswers) {
      const body = `{"type":"about:blank","title":"${STATUS_CODES[status]}","status":${status},`;
      this.api.addGatewayResponse(type.responseType, {
        type,
        statusCode: String(status),
        responseHeaders: { "Content-Type": `'${PROBLEM_CONTENT_TYPE}'` },
        templates: { "application/json": `${body}"detail":$context.error.messageString}` },
      });
    }
  }

  #routes(functions: OperatorsApiProps["functions"]): void {
    const validator = this.api.addRequestValidator("Validator", {
      validateRequestBody: true,
      validateRequestParameters: true,
    });
    const integrations = Object.fromEntries(
      Object.entries(functions).map(([name, made]) => [
        name,
        new apigateway.LambdaIntegration(made, { allowTestInvoke: false }),
      ]),
    );
    for (const { method, path, function: name } of operatorRoutes)
      this.api.root.resourceForPath(path).addMethod(method, integrations[name]!, {
        authorizationType: apigateway.AuthorizationType.IAM,
        requestValidator: validator,
      });
  }

  /** Lets a role send requests, from where the API is reached. */
  grantInvoke(role: iam.IGrantable & Construct): void {
    allow(role, ["execute-api:Invoke"], [this.api.arnForExecuteApi("*", "/*", "v1")]);
    acknowledgeWildcards(role, { "/v1/*/*": "every route of the operators' API, and of no other" });
  }

  #acknowledge(): void {
    acknowledge(this.api, {
      APIG3: "nobody but this account's operators reaches it: a firewall would cost more than the API",
      COG4: "requests are signed with the credentials of a role (AWS_IAM): an operator needs no user of a pool",
    });
  }
}

const { ResponseType } = apigateway;
/** https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html */
const ownAnswers = [
  [ResponseType.ACCESS_DENIED, 403],
  [ResponseType.EXPIRED_TOKEN, 403],
  [ResponseType.INVALID_SIGNATURE, 403],
  [ResponseType.MISSING_AUTHENTICATION_TOKEN, 403],
  [ResponseType.REQUEST_TOO_LARGE, 413],
  [ResponseType.THROTTLED, 429],
  [ResponseType.INTEGRATION_TIMEOUT, 504],
  [ResponseType.DEFAULT_4XX, 400],
  [ResponseType.DEFAULT_5XX, 500],
] as const;

/** Who asked for what, as JSON. */
const ACCESS_LOG_FORMAT = JSON.stringify({
  requestId: "$context.requestId",
  caller: "$context.identity.userArn",
  ip: "$context.identity.sourceIp",
  vpce: "$context.identity.vpceId",
  time: "$context.requestTime",
  method: "$context.httpMethod",
  path: "$context.path",
  status: "$context.status",
  latencyMs: "$context.responseLatency",
});

/**
 * Allows this account what its roles' own policies allow, through the endpoint, and denies everything else. It names
 * the account, not everybody: what a resource policy allows everybody, a role of the account may do without a policy of
 * its own (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html).
 */
function policyOf(endpoint: ec2.IInterfaceVpcEndpoint): iam.PolicyDocument {
  const statement = (
    effect: iam.Effect,
    principal: iam.IPrincipal,
    operator: "StringEquals" | "StringNotEquals",
  ): iam.PolicyStatement =>
    new iam.PolicyStatement({
      effect,
      principals: [principal],
      actions: ["execute-api:Invoke"],
      resources: ["execute-api:/*"],
      conditions: { [operator]: { "aws:SourceVpce": endpoint.vpcEndpointId } },
    });
  return new iam.PolicyDocument({
    statements: [
      statement(iam.Effect.ALLOW, new iam.AccountRootPrincipal(), "StringEquals"),
      statement(iam.Effect.DENY, new iam.AnyPrincipal(), "StringNotEquals"),
    ],
  });
}
