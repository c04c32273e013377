import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { APIGatewayAuthorizerResult } from "aws-lambda";
import { Issuer } from "../dashboard/issuer.ts";
import { type FunctionProcess, startFunction } from "./function-process.ts";

const issuer = new Issuer();
const other = new Issuer();
let ofAudience: FunctionProcess;
let ofUserPool: FunctionProcess;

beforeAll(async () => {
  await issuer.start("http://127.0.0.1/");
  await other.start("http://127.0.0.1/");
  const env = {
    JWT_ISSUER: issuer.url,
    JWKS_URI: `${issuer.url}/jwks`,
    NODE_EXTRA_CA_CERTS: issuer.certificate,
  };
  ofAudience = startFunction("authorize-request", { ...env, JWT_AUDIENCE: "api" });
  ofUserPool = startFunction("authorize-request", { ...env, GROUPS_CLAIM: "cognito:groups" });
});
afterAll(async () => {
  await Promise.all([ofAudience.stop(), ofUserPool.stop(), issuer.stop(), other.stop()]);
});

const ask = (authorizer: FunctionProcess, token: string): Promise<APIGatewayAuthorizerResult> =>
  authorizer.invoke({
    type: "TOKEN",
    methodArn: "arn:aws:execute-api:us-east-1:123456789012:api1/v1/GET/sensors",
    authorizationToken: `Bearer ${token}`,
  });
const hourAgo = Math.floor(Date.now() / 1_000) - 3_600;

describe("where the config names an audience", () => {
  test.each([
    ["a member of the group", { groups: ["operators"] }, "true"],
    ["somebody else", { groups: ["staff"] }, "false"],
    ["a program with the scope", { scope: "operator" }, "true"],
  ])("%s is let in, as an operator or not", async (_who, claims, operator) => {
    expect(await ask(ofAudience, issuer.sign({ aud: "api", ...claims }))).toMatchObject({
      principalId: "anna",
      context: { operator },
      policyDocument: { Statement: [{ Effect: "Allow" }] },
    });
  });

  test.each([
    ["for another API", () => issuer.sign({ aud: "another" })],
    ["for no API", () => issuer.sign({})],
    ["for no API, from a user pool", () => issuer.sign({ token_use: "access", client_id: "api" })],
    ["that has ended", () => issuer.sign({ aud: "api", exp: hourAgo })],
    ["of another issuer", () => other.sign({ aud: "api" })],
    ["that another issuer has signed", () => other.sign({ aud: "api", iss: issuer.url })],
    [
      "that was changed",
      () => issuer.sign({ aud: "api" }).replace(/\.[^.]+\./, `.${body({ aud: "api", groups: ["operators"] })}.`),
    ],
  ])("a token %s is refused", async (_what, token) => {
    await expect(ask(ofAudience, token())).rejects.toThrow("Unauthorized");
  });
});

/** Claims as a token has them in its middle. */
function body(claims: object): string {
  return Buffer.from(JSON.stringify({ iss: issuer.url, sub: "anna", exp: hourAgo + 7_200, ...claims })).toString(
    "base64url",
  );
}

// https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
describe("where the issuer is a user pool", () => {
  test("an access token is let in, and its groups count", async () => {
    const claims = { token_use: "access", client_id: "1example23456789", "cognito:groups": ["operators"] };
    expect(await ask(ofUserPool, issuer.sign(claims))).toMatchObject({ context: { operator: "true" } });
    expect(
      await ask(ofUserPool, issuer.sign({ ...claims, "cognito:groups": ["staff"], groups: ["operators"] })),
    ).toMatchObject({
      context: { operator: "false" },
    });
  });

  test.each([{ token_use: "id", aud: "1example23456789" }, { aud: "1example23456789" }])(
    "any other token is refused: %j",
    async (claims) => {
      await expect(ask(ofUserPool, issuer.sign(claims))).rejects.toThrow("Unauthorized");
    },
  );
});
