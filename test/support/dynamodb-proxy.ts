import { createServer, request as forward, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { LOOPBACK } from "../../config/local.ts";

/** Errors as DynamoDB sends them. */
const refusals = {
  "throughput exceeded": {
    status: 400,
    type: "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
  },
  throttled: { status: 400, type: "com.amazon.coral.availability#ThrottlingException" },
  "internal error": { status: 500, type: "com.amazonaws.dynamodb.v20120810#InternalServerError" },
} as const;
type Refusal = keyof typeof refusals;

/** Well; an error of DynamoDB; slow: late answers; down: cut connections; silent: no answers. */
export type DynamoCondition = "well" | Refusal | "slow" | "down" | "silent";

/** A request to DynamoDB: the operation, such as `PutItem`, and its JSON. */
export interface DynamoRequest {
  readonly operation: string;
  readonly body: string;
}

const SLOW_MS = 3_000;

/** A proxy in front of DynamoDB that fails as DynamoDB can fail. */
export class DynamoProxy {
  readonly dynamodbEndpoint: string;
  condition: DynamoCondition = "well";
  /** Requests received in each condition. */
  readonly met = new Map<DynamoCondition, number>();
  readonly #server: Server;
  readonly #target: string;
  #lose: { left: number; readonly which: (request: DynamoRequest) => boolean } | null = null;

  private constructor(server: Server, target: string) {
    this.#server = server;
    this.#target = target;
    this.dynamodbEndpoint = `http://${LOOPBACK}:${(server.address() as AddressInfo).port}`;
  }

  static async start(target: string): Promise<DynamoProxy> {
    const server = createServer(
      (request, response) => void proxy.#take(request, response).catch(() => request.socket.destroy()),
    );
    await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
    const proxy = new DynamoProxy(server, target);
    return proxy;
  }

  /** The next `count` requests of a kind take effect, and their connections are cut instead of an answer. */
  loseAnswers(count: number, which: (request: DynamoRequest) => boolean): void {
    this.#lose = { left: count, which };
  }

  /** Answers still to lose. */
  get answersToLose(): number {
    return this.#lose?.left ?? 0;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const { condition } = this;
    this.met.set(condition, (this.met.get(condition) ?? 0) + 1);
    if (condition === "silent") return;
    if (condition === "down") return void request.socket.resetAndDestroy();
    if (condition !== "well" && condition !== "slow") return refuse(response, condition);
    const answer = await this.#forward(request, body);
    if (this.#loses({ operation: String(request.headers["x-amz-target"]).split(".")[1] ?? "", body: body.toString() }))
      return void request.socket.resetAndDestroy();
    const give = (): void => void response.writeHead(answer.status, answer.headers).end(answer.body);
    if (condition === "slow") setTimeout(give, SLOW_MS).unref();
    else give();
  }

  #loses(request: DynamoRequest): boolean {
    if (!this.#lose?.left || !this.#lose.which(request)) return false;
    this.#lose.left--;
    return true;
  }

  #forward(
    { method, url, headers }: IncomingMessage,
    body: Buffer,
  ): Promise<{ status: number; headers: IncomingMessage["headers"]; body: Buffer }> {
    return new Promise((resolve, reject) => {
      const sent = forward(`${this.#target}${url}`, { method: method!, headers }, (answer) => {
        buffer(answer).then(
          (received) => resolve({ status: answer.statusCode!, headers: answer.headers, body: received }),
          reject,
        );
      });
      sent.on("error", reject).end(body);
    });
  }
}

function refuse(response: ServerResponse, refusal: Refusal): void {
  const { status, type } = refusals[refusal];
  response
    .writeHead(status, { "content-type": "application/x-amz-json-1.0" })
    .end(JSON.stringify({ __type: type, message: `${refusal} (proxy)` }));
}
