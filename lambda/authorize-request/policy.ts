import type { APIGatewayAuthorizerResult } from "aws-lambda";
import { callerContext } from "../../domain/caller.ts";

/** The token of an `Authorization: Bearer …` header; `undefined` when there is none. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/i.exec(header?.trim() ?? "")?.[1];
}

/**
 * A policy for the whole stage of the requested API, because API Gateway caches the answer per token, not per route;
 * and who the caller is, for the functions behind it.
 */
export function allowStage(
  methodArn: string,
  caller: { readonly principalId: string; readonly operator: boolean },
): APIGatewayAuthorizerResult {
  const [api = "", stage = ""] = methodArn.split("/");
  return {
    principalId: caller.principalId,
    policyDocument: {
      Version: "2012-10-17",
      Statement: [{ Action: "execute-api:Invoke", Effect: "Allow", Resource: `${api}/${stage}/*` }],
    },
    context: callerContext(caller.operator),
  };
}
