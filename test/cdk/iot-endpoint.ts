import { createHash, createHmac } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { createServer, type Server } from "node:https";
import { connect } from "node:net";
import { WebSocketServer } from "ws";

export interface IotEndpoint {
  /** Paths and queries that clients have asked for, whether or not they were let in. */
  readonly asked: readonly string[];
  stop(): Promise<void>;
}

export interface IotEndpointOptions {
  readonly host: string;
  readonly address: string;
  readonly key: string;
  readonly certificate: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** `mqtt://host:port` of the broker behind it. */
  readonly brokerUrl: string;
}

/** The port of MQTT over WebSocket: https://docs.aws.amazon.com/iot/latest/developerguide/protocols.html */
const PORT = 443;

/**
 * Stands in for IoT Core's MQTT endpoint: TLS, a WebSocket handshake with the subprotocol `mqtt` and a signature in its
 * query, and a local broker behind it. A handshake with another signature is answered with 403.
 */
export async function startIotEndpoint(options: IotEndpointOptions): Promise<IotEndpoint> {
  const asked: string[] = [];
  const server = createServer({ key: options.key, cert: options.certificate, minVersion: "TLSv1.2" });
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => "mqtt" });
  server.on("upgrade", (request, socket, head) => {
    asked.push(request.url ?? "");
    if (request.headers["sec-websocket-protocol"] !== "mqtt" || !isSigned(request, options))
      return void socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    sockets.handleUpgrade(request, socket, head, (client) => {
      const broker = new URL(options.brokerUrl);
      const upstream = connect(Number(broker.port), broker.hostname);
      client.on("message", (data: Buffer) => upstream.write(data));
      client.on("close", () => upstream.destroy());
      upstream.on("data", (data) => client.send(data));
      upstream.on("close", () => client.terminate());
      upstream.on("error", () => client.terminate());
    });
  });
  await listening(server, options.address);
  return {
    asked,
    stop: () =>
      new Promise((done) => {
        for (const client of sockets.clients) client.terminate();
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, address: string): Promise<void> {
  return new Promise((done, reject) => {
    server.once("error", reject);
    server.listen(PORT, address, () => done());
  });
}

/**
 * Whether the query holds a valid signature of version 4:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
function isSigned({ url = "", headers }: IncomingMessage, options: IotEndpointOptions): boolean {
  const { host, region, accessKeyId, secretAccessKey } = options;
  const { pathname, searchParams } = new URL(url, `https://${host}`);
  if (headers.host !== host) return false;
  const date = searchParams.get("X-Amz-Date") ?? "";
  const scope = `${date.slice(0, 8)}/${region}/iotdevicegateway/aws4_request`;
  if (searchParams.get("X-Amz-Credential") !== `${accessKeyId}/${scope}`) return false;
  const query = [...searchParams]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .toSorted()
    .join("&");
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
  const signed = searchParams.get("X-Amz-SignedHeaders") ?? "";
  if (!signed.split(";").includes("host")) return false;
  const lines = signed.split(";").map((name) => `${name}:${String(headers[name]).trim()}`);
  const request = ["GET", pathname, query, ...lines, "", signed, sha256("")].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", date, scope, sha256(request)].join("\n");
  const key = scope
    .split("/")
    .reduce<string | Buffer>((signing, part) => hmac(signing, part), `AWS4${secretAccessKey}`);
  return hmac(key, toSign).toString("hex") === searchParams.get("X-Amz-Signature");
}
