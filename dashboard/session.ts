/** Who has signed in, in this tab: the browser forgets it when the tab is closed. */

import { getValidatedIdTokenClaims, type IDToken, type TokenEndpointResponse } from "oauth4webapi";
import { namesOperator } from "../domain/caller.ts";
import type { SignInConfig } from "./client.ts";

export interface Session {
  readonly accessToken: string;
  /** Null where the issuer gives none: the session then ends with the access token. */
  readonly refreshToken: string | null;
  readonly idToken: string;
  /** When the access token is no longer valid, on the page's clock; null where the issuer does not say. */
  readonly expiresAt: number | null;
  /** As the issuer calls them. */
  readonly name: string;
  /** What the page shows; what somebody may do the API decides. */
  readonly operator: boolean;
}

const KEY = "millrace-session";

/**
 * The session that an answer of the issuer's token endpoint begins, or continues.
 *
 * @param before What it continues. An answer may leave out the ID token and the refresh token then: they stay.
 */
export function sessionOf(answer: TokenEndpointResponse, config: SignInConfig, before: Session | null = null): Session {
  const claims = getValidatedIdTokenClaims(answer);
  return {
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token ?? before?.refreshToken ?? null,
    idToken: answer.id_token ?? before?.idToken ?? "",
    expiresAt: answer.expires_in === undefined ? null : Date.now() + answer.expires_in * 1_000,
    name: claims ? nameOf(claims) : (before?.name ?? ""),
    operator: claims ? namesOperator({ ...claims, scope: answer.scope }, config) : (before?.operator ?? false),
  };
}

function nameOf(claims: IDToken): string {
  const names = ["email", "preferred_username", "cognito:username", "name"].map((claim) => claims[claim]);
  return names.find((name) => typeof name === "string") ?? claims.sub;
}

export function readSession(): Session | null {
  const text = sessionStorage.getItem(KEY);
  return text === null ? null : (JSON.parse(text) as Session);
}

export function keepSession(session: Session | null): void {
  if (session) sessionStorage.setItem(KEY, JSON.stringify(session));
  else sessionStorage.removeItem(KEY);
}
