import { JwtVerifier } from "aws-jwt-verify";
import type { APIGatewayAuthorizerResult, APIGatewayTokenAuthorizerEvent } from "aws-lambda";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { namesOperator } from "../../domain/caller.ts";
import { allowStage, bearerToken } from "./policy.ts";

const settings = readSettings("authorizer", process.env);
const logger = createLogger("authorize-request", settings.logLevel);
const verifier = JwtVerifier.create({
  issuer: settings.jwtIssuer,
  audience: settings.jwtAudience ?? null,
  jwksUri: settings.jwksUri,
  customJwtCheck: ({ payload }) => {
    // https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
    if (settings.jwtAudience === undefined && payload["token_use"] !== "access")
      throw new Error(`token_use is ${JSON.stringify(payload["token_use"])}, not "access"`);
  },
});

/**
 * REST authorizer: verifies a JWT of the configured issuer and audience with the keys that the issuer publishes, and
 * says whether it is an operator's.
 *
 * @throws Error `Unauthorized`, which API Gateway answers with 401
 */
export async function handler(event: APIGatewayTokenAuthorizerEvent): Promise<APIGatewayAuthorizerResult> {
  const token = bearerToken(event.authorizationToken);
  if (token === undefined) throw new Error("Unauthorized");
  const claims = await verifier.verify(token).catch((error: unknown) => {
    logger.warn({ reason: error instanceof Error ? error.message : String(error) }, "token refused");
    throw new Error("Unauthorized", { cause: error });
  });
  return allowStage(event.methodArn, {
    principalId: claims.sub ?? "unnamed",
    operator: namesOperator(claims, settings),
  });
}
