import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { listen } from "../../local/aws/listen.ts";

/**
 * S3's GetObject and ListObjectsV2 of one bucket, path-style, as the official client calls them at an address that is a
 * number. A page of a listing has two objects.
 */
export class S3StandIn {
  readonly #bucket: string;
  readonly #objects: ReadonlyMap<string, Buffer>;
  readonly #listed: ReadonlyMap<string, number>;
  readonly #server: Server = createServer((request, response) => this.#answer(request, response));
  /** Keys that were fetched, in order. */
  readonly fetched: string[] = [];

  /**
   * @param objects By key.
   * @param listed Sizes that the listing says, by key. @default the objects' own
   */
  constructor(bucket: string, objects: ReadonlyMap<string, Buffer>, listed: ReadonlyMap<string, number> = new Map()) {
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

  #answer({ method, url = "/" }: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(url, "http://s3");
    const [, bucket, ...rest] = decodeURIComponent(pathname).split("/");
    const key = rest.join("/");
    if (method !== "GET") return error(response, 405, "MethodNotAllowed");
    if (bucket !== this.#bucket) return error(response, 404, "NoSuchBucket");
    if (searchParams.get("list-type") === "2") return this.#list(searchParams, response);
    const object = this.#objects.get(key);
    if (object === undefined) return error(response, 404, "NoSuchKey");
    this.fetched.push(key);
    response.writeHead(200, { "content-length": object.length }).end(object);
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    const prefix = query.get("prefix") ?? "";
    const from = Number(query.get("continuation-token") ?? 0);
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix)).toSorted();
    const page = keys.slice(from, from + 2);
    const isCut = from + 2 < keys.length;
    const contents = page.map(
      (key) =>
        `<Contents><Key>${key}</Key><Size>${this.#listed.get(key) ?? this.#objects.get(key)!.length}</Size></Contents>`,
    );
    const next = isCut ? `<NextContinuationToken>${from + 2}</NextContinuationToken>` : "";
    answer(
      response,
      200,
      `<ListBucketResult><IsTruncated>${isCut}</IsTruncated>${next}${contents.join("")}</ListBucketResult>`,
    );
  }
}

function answer(response: ServerResponse, status: number, xml: string): void {
  response.writeHead(status, { "content-type": "application/xml" }).end(`<?xml version="1.0"?>${xml}`);
}

function error(response: ServerResponse, status: number, code: string): void {
  answer(response, status, `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
}
