import { randomBytes, randomUUID } from "node:crypto";
import {
  AdminCreateUserCommand,
  AdminDeleteUserCommand,
  AdminInitiateAuthCommand,
  AdminSetUserPasswordCommand,
  CognitoIdentityProviderClient,
} from "@aws-sdk/client-cognito-identity-provider";
import type { Environment } from "../../config/schema.ts";
import { findUserPool, type Roles } from "./deployment.ts";

/** Somebody who signs in for one smoke test. */
export interface SmokeUser {
  /** For the APIs, an hour. */
  readonly token: string;
  remove(): Promise<void>;
}

/** Whether the test needs no token of somebody else: a user pool gives one, unless it wants a second factor. */
export function signsInItself({ api: { auth }, retainData }: Environment): boolean {
  return auth?.cognito === true && !retainData;
}

/** Adds a user of the smoke test to a deployed environment. */
export async function smokeUserOf(config: Environment, { smoke: credentials }: Roles): Promise<SmokeUser> {
  const client = new CognitoIdentityProviderClient({ region: config.region, credentials });
  return addSmokeUser(client, await findUserPool(config));
}

/**
 * Adds a user of the smoke test to the environment's user pool, and signs in as them. Nobody gets a mail.
 *
 * @param client The page, as a client of the pool.
 * @throws Error When the pool gives no token, as one that wants a second factor. The user is removed then.
 */
export async function addSmokeUser(
  cognito: CognitoIdentityProviderClient,
  { UserPoolId, client }: { readonly UserPoolId: string; readonly client: string },
): Promise<SmokeUser> {
  const user = { UserPoolId, Username: `smoke-${randomUUID()}@example.com` };
  // Random, with what the pool's policy wants to see.
  const password = `${randomBytes(24).toString("base64url")}aA1!`;
  const remove = async (): Promise<void> => void (await cognito.send(new AdminDeleteUserCommand(user)));
  await cognito.send(new AdminCreateUserCommand({ ...user, MessageAction: "SUPPRESS" }));
  try {
    await cognito.send(new AdminSetUserPasswordCommand({ ...user, Password: password, Permanent: true }));
    const answer = await cognito.send(
      new AdminInitiateAuthCommand({
        UserPoolId,
        ClientId: client,
        AuthFlow: "ADMIN_USER_PASSWORD_AUTH",
        AuthParameters: { USERNAME: user.Username, PASSWORD: password },
      }),
    );
    const token = answer.AuthenticationResult?.AccessToken;
    if (token === undefined)
      throw new Error(`${UserPoolId} gives no token, but the challenge ${answer.ChallengeName}: give --token`);
    return { token, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
