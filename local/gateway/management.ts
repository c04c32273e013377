import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import { ServiceError } from "../aws/service-error.ts";
import { webSocketLimits, type ConnectionHub } from "./connections.ts";

/**
 * The connection id in a path of the @connections API; null for other paths. The `@` may be percent-encoded, and a
 * stage may precede it.
 */
export function connectionOf(url: string): string | null {
  const encoded = /\/(?:@|%40)connections\/([^/?]+)(?:\?|$)/i.exec(url)?.[1];
  try {
    return encoded === undefined ? null : decodeURIComponent(encoded);
  } catch {
    return null;
  }
}

/** Answers POST, GET and DELETE of the @connections API (REST-JSON protocol of `ApiGatewayManagementApi`). */
export async function manageConnection(
  hub: ConnectionHub,
  connectionId: string,
  request: IncomingMessage,
  response: ServerResponse,
  metrics: Metrics,
  log: Logger,
): Promise<void> {
  try {
    if (request.method === "POST") {
      await hub.post(connectionId, await readBody(request), Date.now());
      metrics.add("gateway.posts");
      response.writeHead(200, { "content-type": "application/json", "content-length": 0 }).end();
    } else if (request.method === "GET") {
      const description = JSON.stringify(hub.describe(connectionId));
      response.writeHead(200, { "content-type": "application/json" }).end(description);
    } else if (request.method === "DELETE") {
      await hub.close(connectionId);
      response.writeHead(204).end();
    } else throw new ServiceError("ForbiddenException", 403, `@connections has no ${request.method}`);
  } catch (error) {
    if (!(error instanceof ServiceError)) log.error({ err: error }, "a call of @connections failed");
    const { status, type, message } =
      error instanceof ServiceError
        ? error
        : { status: 500, type: "InternalServerErrorException", message: "Internal server error" };
    response
      .writeHead(status, { "content-type": "application/json", "x-amzn-errortype": type })
      .end(JSON.stringify({ message }));
  }
}

/** Reads a body. Bytes over the limit are read but not kept, and then refused with PayloadTooLargeException. */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= webSocketLimits.messageBytes) chunks.push(chunk);
  }
  if (bytes > webSocketLimits.messageBytes)
    throw new ServiceError(
      "PayloadTooLargeException",
      413,
      `the message has ${bytes} bytes: at most ${webSocketLimits.messageBytes} are allowed`,
    );
  return Buffer.concat(chunks);
}
