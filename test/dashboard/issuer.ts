import { execFileSync } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Provider from "oidc-provider";

/** What the issuer's tokens for the API name. */
export const AUDIENCE = "urn:millrace:test";
export const CLIENT_ID = "page";

/** Who can sign in, with any password, and the groups that they are in. */
const people: Readonly<Record<string, readonly string[]>> = { anna: ["operators", "staff"], ben: ["staff"] };

/** A real OpenID Connect issuer on this machine, over TLS with a certificate that nobody else knows. */
export class Issuer {
  readonly #folder = mkdtempSync(join(tmpdir(), "millrace-issuer-"));
  readonly #server: Server;
  readonly #key = generateKeyPairSync("rsa", { modulusLength: 2_048 }).privateKey;
  #provider: Provider | null = null;
  readonly #granted: string[] = [];
  /** Of the access tokens for the API that it gives from here on. */
  tokenSeconds = 3_600;
  /** Grants of its token endpoint that it gave, newest last. */
  readonly grants: string[] = [];
  url = "";

  constructor() {
    execFileSync(
      "openssl",
      [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
        ...["-keyout", "key.pem", "-out", "certificate.pem", "-subj", "/CN=localhost"],
        ...["-addext", "subjectAltName=DNS:localhost"],
      ],
      { cwd: this.#folder, stdio: "pipe" },
    );
    const read = (name: string): string => readFileSync(join(this.#folder, name), "utf8");
    this.#server = createServer({ key: read("key.pem"), cert: read("certificate.pem") });
  }

  /** File with the certificate, for who must trust it. */
  get certificate(): string {
    return join(this.#folder, "certificate.pem");
  }

  /** @param page Where the page is, and so where the browser is sent back to. */
  async start(page: string): Promise<void> {
    this.#server.listen(0, "localhost");
    await once(this.#server, "listening");
    this.url = `https://localhost:${(this.#server.address() as AddressInfo).port}`;
    const key = this.#key.export({ format: "jwk" });
    this.#provider = new Provider(this.url, {
      clients: [
        {
          client_id: CLIENT_ID,
          // Public: it has no secret. Only a native client may be sent back to http.
          token_endpoint_auth_method: "none",
          application_type: "native",
          grant_types: ["authorization_code", "refresh_token"],
          response_types: ["code"],
          redirect_uris: [page],
          post_logout_redirect_uris: [page],
        },
      ],
      jwks: { keys: [{ ...key, alg: "RS256", use: "sig", kid: "test" } as never] },
      cookies: { keys: ["for a test"] },
      findAccount: (_context, id) => ({
        accountId: id,
        claims: () => ({ sub: id, email: `${id}@example.com`, groups: [...(people[id] ?? [])] }),
      }),
      claims: { openid: ["sub"], email: ["email"], groups: ["groups"] },
      conformIdTokenClaims: false,
      extraTokenClaims: (_context, token) =>
        "accountId" in token ? { groups: [...(people[token.accountId] ?? [])] } : undefined,
      pkce: { required: () => true },
      features: {
        revocation: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => AUDIENCE,
          useGrantedResource: () => true,
          getResourceServerInfo: () => ({
            scope: "read",
            audience: AUDIENCE,
            accessTokenFormat: "jwt",
            accessTokenTTL: this.tokenSeconds,
          }),
        },
      },
      clientBasedCORS: () => true,
      ttl: { Grant: 3_600, IdToken: 3_600, Interaction: 600, RefreshToken: 3_600, Session: 3_600 },
    });
    this.#provider.on("grant.success", ({ oidc: { params, entities } }) => {
      this.grants.push(String(params?.["grant_type"]));
      if (entities.Grant) this.#granted.push(entities.Grant.jti);
    });
    const listener = this.#provider.callback();
    this.#server.on("request", (request, response) => void listener(request, response));
  }

  /** A token with these claims beside the issuer and its times, which it has not given but signs. */
  sign(claims: object): string {
    const now = Math.floor(Date.now() / 1_000);
    const parts = [
      { alg: "RS256", kid: "test", typ: "JWT" },
      { iss: this.url, sub: "anna", iat: now, exp: now + 600, ...claims },
    ];
    const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
    return `${signed}.${sign("RSA-SHA256", Buffer.from(signed), this.#key).toString("base64url")}`;
  }

  /** No session is renewed again. */
  async revokeAll(): Promise<void> {
    for (const grant of this.#granted.splice(0)) await this.#provider?.RefreshToken.revokeByGrantId(grant);
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
