/** Sign-in at the environment's issuer: OpenID Connect, the authorization code flow with PKCE. */

import {
  type AuthorizationServer,
  authorizationCodeGrantRequest,
  AuthorizationResponseError,
  calculatePKCECodeChallenge,
  type Client,
  discoveryRequest,
  generateRandomCodeVerifier,
  generateRandomNonce,
  generateRandomState,
  None,
  processAuthorizationCodeResponse,
  processDiscoveryResponse,
  processRefreshTokenResponse,
  refreshTokenGrantRequest,
  ResponseBodyError,
  revocationRequest,
  validateAuthResponse,
} from "oauth4webapi";
import type { SignInConfig } from "./client.ts";
import { byId } from "./dom.ts";
import { keepSession, readSession, type Session, sessionOf } from "./session.ts";

/** A request to the issuer that this tab has made, and the address that it continues at. */
interface Request {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly address: string;
}

const REQUEST = "millrace-sign-in";
const SIGNED_OUT = "millrace-signed-out";
/** A token is renewed this long before it is no longer valid, in ms. */
const RENEW_BEFORE_MS = 30_000;
/** Parameters that an issuer adds to the page's address. */
const ANSWER = ["code", "state", "iss", "session_state", "error", "error_description", "error_uri"];

/** The page's address, without a view: where the issuer sends the browser back to. */
const home = (): string => `${location.origin}/`;

export class SignIn {
  readonly #config: SignInConfig;
  readonly #client: Client;
  #issuer: Promise<AuthorizationServer> | null = null;
  #session: Session | null = null;
  /** Pending while the session is renewed. */
  #renewing: Promise<Session> | null = null;

  constructor(config: SignInConfig) {
    this.#config = config;
    this.#client = { client_id: config.clientId };
  }

  /** The session of this tab; where it has none, the page is left for the issuer's, or asks. */
  async open(): Promise<Session> {
    this.#session = readSession();
    const query = new URLSearchParams(location.search);
    if (query.has("state") && (query.has("code") || query.has("error"))) await this.#return(query);
    if (this.#session === null) {
      if (sessionStorage.getItem(SIGNED_OUT) !== null) return this.ask("You are signed out.");
      return this.#leave();
    }
    return this.#session;
  }

  /** A token for the API, renewed where it would soon be invalid. Where it can't be, the page asks to sign in again. */
  async token(): Promise<string> {
    const session = this.#session ?? (await this.ask("You are signed out."));
    if (session.expiresAt === null || Date.now() < session.expiresAt - RENEW_BEFORE_MS) return session.accessToken;
    if (session.refreshToken === null) return Date.now() < session.expiresAt ? session.accessToken : this.expired();
    this.#renewing ??= this.#renew(session, session.refreshToken).finally(() => (this.#renewing = null));
    return (await this.#renewing).accessToken;
  }

  /** The session has ended: the page keeps its address, and asks to sign in again. */
  expired(): Promise<never> {
    return this.ask("Your session has ended. Sign in again: the page continues where it is.");
  }

  async signOut(): Promise<void> {
    const session = this.#session;
    this.#forget();
    sessionStorage.setItem(SIGNED_OUT, "");
    const issuer = await this.#discover().catch(() => null);
    // Tried only: the token is gone from this tab, and is not valid for long.
    if (issuer?.revocation_endpoint !== undefined && session?.refreshToken)
      await revocationRequest(issuer, this.#client, None(), session.refreshToken).catch(() => null);
    const address = this.#config.signOutUrl ?? endOf(issuer, this.#config.clientId, session);
    if (address === null) await this.ask("You are signed out here. The issuer has no address to sign out at.");
    else location.assign(address);
  }

  /**
   * Asks to sign in.
   *
   * @param why What has happened.
   * @param problem What the issuer answered, or what is wrong with it.
   */
  ask(why: string, problem = ""): Promise<never> {
    this.#forget();
    byId("login-why").textContent = why;
    byId("login-problem").textContent = problem;
    byId("login-problem").hidden = problem === "";
    const dialog = byId("login") as HTMLDialogElement;
    byId("login-start").onclick = () => void this.#leave();
    // Escape must not leave a page without data.
    dialog.oncancel = (event) => event.preventDefault();
    dialog.onclose = () => dialog.showModal();
    if (!dialog.open) dialog.showModal();
    return new Promise(() => {});
  }

  #forget(): void {
    this.#session = null;
    keepSession(null);
  }

  #keep(session: Session): Session {
    this.#session = session;
    keepSession(session);
    return session;
  }

  #discover(): Promise<AuthorizationServer> {
    const url = new URL(this.#config.issuer);
    this.#issuer ??= discoveryRequest(url).then((response) => processDiscoveryResponse(url, response));
    this.#issuer.catch(() => (this.#issuer = null));
    return this.#issuer;
  }

  /** Goes to the issuer's page. */
  async #leave(): Promise<never> {
    const [state, nonce, verifier] = [generateRandomState(), generateRandomNonce(), generateRandomCodeVerifier()];
    const issuer = await this.#discover().catch((error: unknown) =>
      this.ask(`The issuer ${this.#config.issuer} can't be reached.`, problemOf(error)),
    );
    const request: Request = { state, nonce, verifier, address: location.hash };
    sessionStorage.setItem(REQUEST, JSON.stringify(request));
    sessionStorage.removeItem(SIGNED_OUT);
    const url = new URL(issuer.authorization_endpoint ?? "");
    for (const [name, value] of Object.entries({
      ...this.#config.parameters,
      client_id: this.#config.clientId,
      redirect_uri: home(),
      response_type: "code",
      scope: this.#config.scopes.join(" "),
      code_challenge: await calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      state,
      nonce,
    }))
      url.searchParams.set(name, value);
    location.assign(url);
    return new Promise(() => {});
  }

  /** The issuer has sent the browser back: its answer gives a session, or the reason why there is none. */
  async #return(query: URLSearchParams): Promise<void> {
    const text = sessionStorage.getItem(REQUEST);
    sessionStorage.removeItem(REQUEST);
    const request = text === null ? null : (JSON.parse(text) as Request);
    const rest = new URLSearchParams(location.search);
    for (const name of ANSWER) rest.delete(name);
    // The address is shared and stays in the history; an answer is for once.
    const search = rest.size > 0 ? `?${rest.toString()}` : "";
    history.replaceState(null, "", `${location.pathname}${search}${request?.address ?? location.hash}`);
    try {
      if (request === null) throw new Error("this tab has not asked for it, or has been answered before");
      const issuer = await this.#discover();
      const answer = validateAuthResponse(issuer, this.#client, query, request.state);
      const { verifier, nonce } = request;
      const response = await authorizationCodeGrantRequest(issuer, this.#client, None(), answer, home(), verifier);
      const tokens = await processAuthorizationCodeResponse(issuer, this.#client, response, {
        expectedNonce: nonce,
        requireIdToken: true,
      });
      this.#keep(sessionOf(tokens, this.#config));
    } catch (error) {
      await this.ask("The issuer's answer gives no session.", problemOf(error));
    }
  }

  async #renew(session: Session, refreshToken: string): Promise<Session> {
    const issuer = await this.#discover();
    const response = await refreshTokenGrantRequest(issuer, this.#client, None(), refreshToken);
    try {
      const tokens = await processRefreshTokenResponse(issuer, this.#client, response);
      return this.#keep(sessionOf(tokens, this.#config, session));
    } catch (error) {
      if (error instanceof ResponseBodyError) return this.expired();
      throw error;
    }
  }
}

/** Where to sign out at an issuer that has an address for it: OpenID Connect RP-Initiated Logout 1.0. */
function endOf(issuer: AuthorizationServer | null, clientId: string, session: Session | null): string | null {
  if (issuer?.end_session_endpoint === undefined) return null;
  const url = new URL(issuer.end_session_endpoint);
  url.searchParams.set("client_id", clientId);
  url.searchParams.set("post_logout_redirect_uri", home());
  if (session) url.searchParams.set("id_token_hint", session.idToken);
  return url.href;
}

/** What an issuer answered, with its own code and words, or what is wrong with the answer. */
function problemOf(error: unknown): string {
  if (error instanceof AuthorizationResponseError || error instanceof ResponseBodyError)
    return error.error_description === undefined ? error.error : `${error.error}: ${error.error_description}`;
  return error instanceof Error ? error.message : String(error);
}
