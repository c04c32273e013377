import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { listen } from "../../local/aws/listen.ts";

/**
 * S3's GetObject, PutObject with If-Match and If-None-Match, DeleteObject and ListObjectsV2 of one bucket, path-style,
 * as the official client calls them at an address that is a number. A page of a listing has two objects.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export class S3StandIn {
  readonly #bucket: string;
  readonly #objects: Map<string, Buffer>;
  readonly #listed: ReadonlyMap<string, number>;
  readonly #server: Server = createServer((request, response) => void this.#answer(request, response));
  /** Keys that were fetched, in order. */
  readonly fetched: string[] = [];
  /** When the objects were written, epoch ms. */
  writtenMs = 0;
  /** When an object is put. @default the same */
  putMs: number | null = null;
  readonly #putAt = new Map<string, number>();
  /** Called with each request; false: it is refused, as all would be of a caller that was killed. */
  onRequest: (method: string) => boolean = () => true;
  /** Called when an object has been fetched. */
  onFetched: (key: string) => void = () => undefined;

  /**
   * @param objects By key.
   * @param listed Sizes that the listing says, by key. @default the objects' own
   */
  constructor(bucket: string, objects: Map<string, Buffer>, listed: ReadonlyMap<string, number> = new Map()) {
    this.#bucket = bucket;
    this.#objects = objects;
    this.#listed = listed;
  }

  /** Resolves with the endpoint. */
  async listen(): Promise<string> {
    return `http://127.0.0.1:${await listen(this.#server, 0)}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = "/", headers } = request;
    const { pathname, searchParams } = new URL(url, "http://s3");
    const [, bucket, ...rest] = decodeURIComponent(pathname).split("/");
    const key = rest.join("/");
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    if (!this.onRequest(method!)) return error(response, 403, "AccessDenied");
    if (bucket !== this.#bucket) return error(response, 404, "NoSuchBucket");
    if (method === "PUT") {
      if (headers["if-none-match"] === "*" && this.#objects.has(key)) return error(response, 412, "PreconditionFailed");
      return this.#put(key, Buffer.concat(chunks), headers["if-match"], response);
    }
    if (method === "DELETE") {
      this.#objects.delete(key);
      response.writeHead(204).end();
      return;
    }
    if (method !== "GET") return error(response, 405, "MethodNotAllowed");
    if (searchParams.get("list-type") === "2") return this.#list(searchParams, response);
    const object = this.#objects.get(key);
    if (object === undefined) return error(response, 404, "NoSuchKey");
    this.fetched.push(key);
    response.writeHead(200, { "content-length": object.length, etag: tagOf(object) }).end(object);
    this.onFetched(key);
  }

  #put(key: string, body: Buffer, ifMatch: string | undefined, response: ServerResponse): void {
    const object = this.#objects.get(key);
    if (ifMatch !== undefined && object === undefined) return error(response, 404, "NoSuchKey");
    if (ifMatch !== undefined && ifMatch !== tagOf(object!)) return error(response, 412, "PreconditionFailed");
    this.#objects.set(key, body);
    if (this.putMs !== null) this.#putAt.set(key, this.putMs);
    response.writeHead(200, { etag: tagOf(body) }).end();
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    const prefix = query.get("prefix") ?? "";
    const from = Number(query.get("continuation-token") ?? 0);
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix)).toSorted();
    const page = keys.slice(from, from + 2);
    const isCut = from + 2 < keys.length;
    const contents = page.map((key) => {
      const size = this.#listed.get(key) ?? this.#objects.get(key)!.length;
      const written = new Date(this.#putAt.get(key) ?? this.writtenMs).toISOString();
      const tag = `<ETag>${tagOf(this.#objects.get(key)!)}</ETag>`;
      return `<Contents><Key>${key}</Key><Size>${size}</Size><LastModified>${written}</LastModified>${tag}</Contents>`;
    });
    const next = isCut ? `<NextContinuationToken>${from + 2}</NextContinuationToken>` : "";
    answer(
      response,
      200,
      `<ListBucketResult><IsTruncated>${isCut}</IsTruncated>${next}${contents.join("")}</ListBucketResult>`,
    );
  }
}

function tagOf(object: Buffer): string {
  return `"${createHash("md5").update(object).digest("hex")}"`;
}

function answer(response: ServerResponse, status: number, xml: string): void {
  response.writeHead(status, { "content-type": "application/xml" }).end(`<?xml version="1.0"?>${xml}`);
}

function error(response: ServerResponse, status: number, code: string): void {
  answer(response, status, `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}
