import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { CognitoIdentityProviderClient } from "@aws-sdk/client-cognito-identity-provider";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { addSmokeUser } from "../../lib/smoke/user.ts";

type Request = Readonly<Record<string, unknown>>;

/** What Cognito was asked for: operations with their requests. */
let asked: [operation: string, request: Request][];
/** Its answer to who signs in. */
let signedIn: object;
let server: Server;
let cognito: CognitoIdentityProviderClient;

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const operation = String(request.headers["x-amz-target"]).replace("AWSCognitoIdentityProviderService.", "");
      asked.push([operation, JSON.parse(Buffer.concat(chunks).toString("utf8")) as Request]);
      response.setHeader("content-type", "application/x-amz-json-1.1");
      response.end(JSON.stringify(operation === "AdminInitiateAuth" ? signedIn : {}));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cognito = new CognitoIdentityProviderClient({
    region: "us-east-1",
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
});
afterEach(() => {
  cognito.destroy();
  server.closeAllConnections();
  server.close();
});

const add = (): ReturnType<typeof addSmokeUser> =>
  addSmokeUser(cognito, { UserPoolId: "us-east-1_AbCdEfGhI", client: "1example23456789" });

test("the smoke test signs in as a user of its own, and takes them away again", async () => {
  signedIn = { AuthenticationResult: { AccessToken: "a.b.c", IdToken: "d.e.f" } };
  const user = await add();
  expect(user.token).toBe("a.b.c");
  await user.remove();
  expect(asked.map(([operation]) => operation)).toEqual([
    "AdminCreateUser",
    "AdminSetUserPassword",
    "AdminInitiateAuth",
    "AdminDeleteUser",
  ]);
  expect(new Set(asked.map(([, { UserPoolId }]) => UserPoolId))).toEqual(new Set(["us-east-1_AbCdEfGhI"]));
  const [[, created], [, set], [, initiated], [, deleted]] = asked as [
    (typeof asked)[0],
    (typeof asked)[0],
    (typeof asked)[0],
    (typeof asked)[0],
  ];
  expect(created).toMatchObject({ MessageAction: "SUPPRESS" });
  // As lib/constructs/user-pool.ts wants passwords.
  for (const wanted of [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z\d]/, /^.{12,}$/]) expect(set["Password"]).toMatch(wanted);
  expect(initiated).toMatchObject({
    ClientId: "1example23456789",
    AuthFlow: "ADMIN_USER_PASSWORD_AUTH",
    AuthParameters: { USERNAME: created["Username"], PASSWORD: set["Password"] },
  });
  expect(deleted["Username"]).toBe(created["Username"]);
});

test("a pool that wants a second factor is said, and keeps no user", async () => {
  signedIn = { ChallengeName: "MFA_SETUP", Session: "s" };
  await expect(add()).rejects.toThrow("gives no token, but the challenge MFA_SETUP: give --token");
  expect(asked.at(-1)?.[0]).toBe("AdminDeleteUser");
});
