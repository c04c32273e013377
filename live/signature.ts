import { createHmac, hash } from "node:crypto";

/** AWS credentials, as the SDK's providers give them. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** A POST request that is to be signed. */
export interface PostRequest {
  readonly host: string;
  /** As it is sent: percent-encoded, without a query. */
  readonly path: string;
  /** Of the body, in hex. */
  readonly sha256: string;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
const SERVICE = "execute-api";

/**
 * Signs POST requests to API Gateway by AWS Signature Version 4
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html). The SDK's client spends several times
 * as long on a request as signing, sending and answering it take.
 */
export class PostSigner {
  readonly #region: string;
  /** The signing key of a day and its credentials. */
  #key: { readonly of: string; readonly bytes: Buffer } = { of: "", bytes: Buffer.alloc(0) };

  constructor(region: string) {
    this.#region = region;
  }

  /** The headers that make the request a signed one, `host` included. */
  sign({ host, path, sha256 }: PostRequest, credentials: Credentials, now: Date): Record<string, string> {
    const { accessKeyId, sessionToken } = credentials;
    const time = `${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
    const scope = `${time.slice(0, 8)}/${this.#region}/${SERVICE}/aws4_request`;
    // In the order of their names, as the signature needs them.
    const headers: Record<string, string> = {
      host,
      "x-amz-content-sha256": sha256,
      "x-amz-date": time,
      ...(sessionToken === undefined ? {} : { "x-amz-security-token": sessionToken }),
    };
    const names = Object.keys(headers).join(";");
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
    // The path is encoded once more, as for all services but S3.
    const canonicalPath = path.split("/").map(encode).join("/");
    const canonical = `POST\n${canonicalPath}\n\n${lines.join("")}\n${names}\n${sha256}`;
    const toSign = `${ALGORITHM}\n${time}\n${scope}\n${hash("sha256", canonical)}`;
    const signature = createHmac("sha256", this.#signingKey(time.slice(0, 8), credentials))
      .update(toSign)
      .digest("hex");
    headers["authorization"] =
      `${ALGORITHM} Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
    return headers;
  }

  #signingKey(day: string, { secretAccessKey }: Credentials): Buffer {
    const of = `${day}/${secretAccessKey}`;
    if (this.#key.of !== of) {
      const parts = [day, this.#region, SERVICE, "aws4_request"];
      const bytes = parts.reduce<string | Buffer>(
        (key, part) => createHmac("sha256", key).update(part).digest(),
        `AWS4${secretAccessKey}`,
      );
      this.#key = { of, bytes: bytes as Buffer };
    }
    return this.#key.bytes;
  }
}

/** Percent-encodes all but the unreserved characters of RFC 3986. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
