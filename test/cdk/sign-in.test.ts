import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { App } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import prod from "../../config/environments/prod.ts";
import { readEnvironment } from "../../config/read-environment.ts";
import { SecurityStack } from "../../lib/stacks/security.ts";
import { pageSignIn, signInOrigins } from "../../lib/stacks/sign-in.ts";
import { resourcesOf, synthesised, type Synthesised } from "./synthesised.ts";

const LIMIT_MS = 300_000;

/** The page's `config.json` among the assets; CloudFormation's values have placeholders in it. */
function pageConfig({ folder }: Synthesised): { readonly signIn?: Record<string, unknown> } {
  const [file, ...others] = globSync(join("asset.*", "config.json"), { cwd: folder });
  expect(others).toEqual([]);
  return JSON.parse(readFileSync(join(folder, file!), "utf8")) as { signIn?: Record<string, unknown> };
}

function policyOf(platform: Synthesised): string {
  const [headers] = resourcesOf(platform, "AWS::CloudFront::ResponseHeadersPolicy");
  return JSON.stringify(headers?.resource.Properties);
}

describe("an environment with users of its own", () => {
  let staging: Synthesised;
  beforeAll(async () => {
    staging = await synthesised("staging");
  }, LIMIT_MS);
  const one = (type: string): Readonly<Record<string, unknown>> => {
    const found = resourcesOf(staging, type);
    expect(found).toHaveLength(1);
    return found[0]!.resource.Properties;
  };

  test("has the page as a public client of the code flow, which is sent back to the page alone", () => {
    expect(one("AWS::Cognito::UserPoolClient")).toMatchObject({
      GenerateSecret: false,
      AllowedOAuthFlows: ["code"],
      AllowedOAuthScopes: ["openid", "email"],
      CallbackURLs: ["https://staging.millrace.example.com/"],
      LogoutURLs: ["https://staging.millrace.example.com/"],
      SupportedIdentityProviders: ["COGNITO"],
      PreventUserExistenceErrors: "ENABLED",
      EnableTokenRevocation: true,
      RefreshTokenRotation: { Feature: "ENABLED" },
    });
    // https://docs.aws.amazon.com/cognito/latest/developerguide/managed-login-branding.html: a client without a style
    // has no managed login.
    expect(one("AWS::Cognito::UserPoolDomain")["ManagedLoginVersion"]).toBe(2);
    expect(one("AWS::Cognito::ManagedLoginBranding")["UseCognitoProvidedValues"]).toBe(true);
  });

  test("lets nobody sign up, and has the group that makes operators", () => {
    expect(one("AWS::Cognito::UserPool")).toMatchObject({ AdminCreateUserConfig: { AllowAdminCreateUserOnly: true } });
    expect(one("AWS::Cognito::UserPoolGroup")["GroupName"]).toBe("operators");
  });

  test("tells its authorizer of the pool, and wants no audience, which Cognito's access tokens do not have", () => {
    const authorizer = resourcesOf(staging, "AWS::Lambda::Function").find(
      ({ resource }) => resource.Properties["FunctionName"] === "millrace-staging-authorize-request",
    );
    const { Variables } = authorizer!.resource.Properties["Environment"] as { Variables: Record<string, unknown> };
    expect(JSON.stringify(Variables["JWT_ISSUER"])).toContain("ProviderURL");
    expect(JSON.stringify(Variables["JWKS_URI"])).toMatch(/ProviderURL.*\/\.well-known\/jwks\.json/);
    expect(Variables).toMatchObject({ GROUPS_CLAIM: "cognito:groups", OPERATORS_GROUP: "operators" });
    expect(Variables).not.toHaveProperty("JWT_AUDIENCE");
  });

  test("tells the page where to sign in and out, and lets it connect there", () => {
    const { signIn } = pageConfig(staging);
    expect(signIn).toMatchObject({ scopes: ["openid", "email"], groupsClaim: "cognito:groups" });
    expect(signIn?.["signOutUrl"]).toMatch(
      /amazoncognito\.com\/logout\?client_id=.+&logout_uri=https:\/\/staging\.millrace\.example\.com\/$/,
    );
    expect(policyOf(staging)).toMatch(
      /connect-src .*https:\/\/cognito-idp\.us-east-1.*\.auth\.us-east-1\.amazoncognito/,
    );
  });

  test("wants a second factor and keeps its users, where data is kept", () => {
    const config = readEnvironment({ ...prod, api: { ...prod.api, auth: { cognito: true } } });
    const template = Template.fromStack(new SecurityStack(new App(), "security", config));
    template.hasResource("AWS::Cognito::UserPool", {
      Properties: Match.objectLike({
        MfaConfiguration: "ON",
        EnabledMfas: ["SOFTWARE_TOKEN_MFA"],
        DeletionProtection: "ACTIVE",
      }),
      DeletionPolicy: "Retain",
    });
  });
});

test(
  "with an issuer of its own, the page has its client and asks for the API's audience",
  async () => {
    const platform = await synthesised("prod");
    expect(pageConfig(platform).signIn).toEqual({
      issuer: "https://login.example.com/",
      clientId: "millrace-prod-page",
      scopes: ["openid", "profile", "offline_access"],
      parameters: { audience: "millrace-prod" },
      groupsClaim: "groups",
      operatorsGroup: "operators",
    });
    expect(policyOf(platform)).toContain(" https://login.example.com;");
    expect(resourcesOf(platform, "AWS::Cognito::UserPool")).toEqual([]);
  },
  LIMIT_MS,
);

test("where the API is open, or its issuer has no client for the page, the page has no sign-in", () => {
  for (const auth of [
    null,
    { issuer: "https://login.example.com/", audience: "api", jwksUri: "https://login.example.com/jwks" },
  ]) {
    const config = readEnvironment({ ...prod, retainData: false, api: { ...prod.api, auth } });
    const stack = new SecurityStack(new App(), "security", config);
    expect(pageSignIn(stack, stack.users, "https://millrace.example.com/")).toBeNull();
    expect(signInOrigins(stack, stack.users)).toEqual([]);
  }
});
