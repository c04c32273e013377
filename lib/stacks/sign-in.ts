import { CfnOutput } from "aws-cdk-lib";
import type { MillraceStack } from "../constructs/millrace-stack.ts";
import { COGNITO_GROUPS, type UserPool } from "../constructs/user-pool.ts";

/** Origins that the page connects to, to sign in. */
export function signInOrigins({ config, region, urlSuffix }: MillraceStack, users: UserPool | null): string[] {
  const { auth } = config.api;
  if (users) return [`https://cognito-idp.${region}.${urlSuffix}`, users.loginUrl];
  if (auth === null || auth.cognito === true || auth.clientId === null) return [];
  return [auth.issuer, ...(auth.tokenOrigin === null ? [] : [auth.tokenOrigin])].map((url) => new URL(url).origin);
}

/**
 * How the page of an environment signs in, as `dashboard/client.ts` reads it; null where its API is open, or its issuer
 * has no client for the page.
 *
 * @param pageUrl The page's address, with a slash at its end.
 */
export function pageSignIn(
  stack: MillraceStack,
  users: UserPool | null,
  pageUrl: string,
): Readonly<Record<string, unknown>> | null {
  const { auth } = stack.config.api;
  if (users && auth) return ofUserPool(stack, users, auth.operatorsGroup, pageUrl);
  if (auth === null || auth.cognito === true || auth.clientId === null) return null;
  const { issuer, clientId, scopes, parameters, groupsClaim, operatorsGroup } = auth;
  return { issuer, clientId, scopes, parameters, groupsClaim, operatorsGroup };
}

function ofUserPool(
  stack: MillraceStack,
  users: UserPool,
  operatorsGroup: string,
  pageUrl: string,
): Readonly<Record<string, unknown>> {
  const { pool, loginUrl } = users;
  const clientId = users.addPage(stack, pageUrl).userPoolClientId;
  new CfnOutput(stack, "SignInClientId", { value: clientId, description: "the page, as a client of the user pool" });
  return {
    issuer: pool.userPoolProviderUrl,
    clientId,
    scopes: ["openid", "email"],
    parameters: {},
    groupsClaim: COGNITO_GROUPS,
    operatorsGroup,
    // Not OpenID Connect's parameters: https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html
    signOutUrl: `${loginUrl}/logout?client_id=${clientId}&logout_uri=${pageUrl}`,
  };
}
