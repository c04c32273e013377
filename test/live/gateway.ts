import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a connection of the recording gateway does with a frame. */
export type Behaviour = (response: ServerResponse) => void | Promise<void>;

const respond =
  (status: number, type?: string): Behaviour =>
  (response) =>
    void response
      .writeHead(status, type ? { "x-amzn-errortype": type, "content-type": "application/json" } : {})
      .end(type ? "{}" : "");
export const accept = respond(200);
export const gone = respond(410, "GoneException");
export const limited = respond(429, "LimitExceededException");

/** Records what is posted to `/@connections/{id}`, as API Gateway's @connections API answers. */
export interface RecordingGateway {
  readonly endpoint: string;
  /** Frames that were accepted, by connection. */
  readonly frames: Map<string, string[]>;
  readonly closed: string[];
  /** How a connection's next frames are answered; `accept` by default. */
  readonly behaviours: Map<string, Behaviour>;
  /** All messages a connection has received, arrays of a frame opened. */
  messages(connectionId: string): Record<string, unknown>[];
  stop(): Promise<void>;
}

export async function startRecordingGateway(): Promise<RecordingGateway> {
  const frames = new Map<string, string[]>();
  const closed: string[] = [];
  const behaviours = new Map<string, Behaviour>();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const id = decodeURIComponent(request.url!.replace("/@connections/", ""));
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.method === "DELETE") {
      closed.push(id);
      response.writeHead(204).end();
      return;
    }
    response.once("finish", () => {
      if (response.statusCode === 200)
        frames.set(id, [...(frames.get(id) ?? []), Buffer.concat(chunks).toString("utf8")]);
    });
    await (behaviours.get(id) ?? accept)(response);
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    frames,
    closed,
    behaviours,
    messages: (id) =>
      (frames.get(id) ?? []).flatMap(
        (frame) => [JSON.parse(frame) as Record<string, unknown>].flat() as Record<string, unknown>[],
      ),
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
