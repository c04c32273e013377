import type { APIGatewayAuthorizerResult } from "aws-lambda";

/** The token of an `Authorization: Bearer …` header; `undefined` when there is none. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/i.exec(header?.trim() ?? "")?.[1];
}

/** A policy for the whole stage of the requested API: API Gateway caches the answer per token, not per route. */
export function allowStage(principalId: string, methodArn: string): APIGatewayAuthorizerResult {
  const [api = "", stage = ""] = methodArn.split("/");
  return {
    principalId,
    policyDocument: {
      Version: "2012-10-17",
      Statement: [{ Action: "execute-api:Invoke", Effect: "Allow", Resource: `${api}/${stage}/*` }],
    },
  };
}
