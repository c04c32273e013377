import { isUtf8 } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { WebSocket } from "ws";
import type { Milliseconds } from "../../domain/time.ts";
import { ServiceError } from "../aws/service-error.ts";
import type { ConnectionContext } from "./events.ts";

/** Limits of API Gateway WebSocket APIs. */
export const webSocketLimits = {
  frameBytes: 32 * 1024,
  messageBytes: 128 * 1024,
  idleMs: 10 * 60_000,
  lifeMs: 2 * 60 * 60_000,
} as const;

/** Bytes that may wait in a client's socket. Above this limit, posts are refused with LimitExceededException. */
const SEND_BUFFER_BYTES = 1024 * 1024;
const GOING_AWAY = 1001;

interface Connection {
  readonly context: ConnectionContext;
  /** Resolves after the handshake; with null when the handshake was refused. */
  readonly opened: Promise<WebSocket | null>;
  open: (socket: WebSocket | null) => void;
  socket: WebSocket | null;
  lastActiveAtMs: number;
}

/** The connections of the WebSocket API. */
export class ConnectionHub {
  readonly #connections = new Map<string, Connection>();
  readonly #limits: { readonly idleMs: Milliseconds; readonly lifeMs: Milliseconds };

  constructor(limits: { readonly idleMs: Milliseconds; readonly lifeMs: Milliseconds }) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#connections.size;
  }

  /**
   * Registers a connection before `$connect` runs. Messages that are posted to it wait for the handshake. Ids look like
   * those of API Gateway, and are never reused.
   */
  register(from: Omit<ConnectionContext, "connectionId">): ConnectionContext {
    const context = { ...from, connectionId: `${randomBytes(11).toString("base64url")}=` };
    const { promise: opened, resolve: open } = Promise.withResolvers<WebSocket | null>();
    this.#connections.set(context.connectionId, {
      context,
      opened,
      open,
      socket: null,
      lastActiveAtMs: context.connectedAtMs,
    });
    return context;
  }

  /** Completes the handshake. From now on the connection accepts messages. */
  open(connectionId: string, socket: WebSocket): void {
    const connection = this.#find(connectionId);
    connection.socket = socket;
    connection.open(socket);
  }

  /** Removes a connection that was refused or has closed. */
  remove(connectionId: string): void {
    this.#connections.get(connectionId)?.open(null);
    this.#connections.delete(connectionId);
  }

  touch(connectionId: string, nowMs: number): void {
    const connection = this.#connections.get(connectionId);
    if (connection) connection.lastActiveAtMs = nowMs;
  }

  /**
   * Sends a message in frames of at most 32 KB; resolves when the frames are in the socket's buffer.
   *
   * @throws ServiceError GoneException, PayloadTooLargeException, LimitExceededException
   */
  async post(connectionId: string, data: Buffer, nowMs: number): Promise<void> {
    const connection = this.#find(connectionId);
    if (data.length > webSocketLimits.messageBytes)
      throw new ServiceError(
        "PayloadTooLargeException",
        413,
        `the message has ${data.length} bytes: at most ${webSocketLimits.messageBytes} are allowed`,
      );
    const socket = await connection.opened;
    if (socket === null || socket.readyState !== socket.OPEN) throw gone();
    if (socket.bufferedAmount > SEND_BUFFER_BYTES)
      throw new ServiceError("LimitExceededException", 429, "the client does not read, and its buffer is full");
    const binary = !isUtf8(data);
    for (let from = 0; from === 0 || from < data.length; from += webSocketLimits.frameBytes) {
      const to = from + webSocketLimits.frameBytes;
      socket.send(data.subarray(from, to), { binary, fin: to >= data.length });
    }
    connection.lastActiveAtMs = nowMs;
  }

  /** @throws ServiceError GoneException */
  describe(connectionId: string): {
    connectedAt: string;
    lastActiveAt: string;
    identity: { sourceIp: string; userAgent: string | undefined };
  } {
    const { context, lastActiveAtMs } = this.#find(connectionId);
    return {
      connectedAt: new Date(context.connectedAtMs).toISOString(),
      lastActiveAt: new Date(lastActiveAtMs).toISOString(),
      identity: { sourceIp: context.sourceIp, userAgent: context.userAgent },
    };
  }

  /**
   * Closes a connection.
   *
   * @throws ServiceError GoneException
   */
  async close(connectionId: string, reason = "Connection Closed Normally"): Promise<void> {
    const socket = await this.#find(connectionId).opened;
    if (socket === null) throw gone();
    socket.close(1000, reason);
  }

  /** Closes connections that are idle or have lived too long. */
  sweep(nowMs: number): void {
    for (const { context, socket, lastActiveAtMs } of this.#connections.values()) {
      if (nowMs - lastActiveAtMs > this.#limits.idleMs || nowMs - context.connectedAtMs > this.#limits.lifeMs)
        socket?.close(GOING_AWAY, "Going away");
    }
  }

  closeAll(): void {
    for (const { socket } of this.#connections.values()) socket?.close(GOING_AWAY, "Going away");
  }

  #find(connectionId: string): Connection {
    const connection = this.#connections.get(connectionId);
    if (!connection) throw gone();
    return connection;
  }
}

const gone = (): ServiceError => new ServiceError("GoneException", 410, "the connection is closed");
