import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GoneException,
} from "@aws-sdk/client-apigatewaymanagementapi";
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  paginateScan,
  ResourceNotFoundException,
  UpdateItemCommand,
  type AttributeValue,
} from "@aws-sdk/client-dynamodb";
import { dynamoDbClient } from "../adapters/dynamodb.ts";
import { localCredentials } from "../adapters/local-credentials.ts";
import type { Logger } from "../adapters/log.ts";
import type { ConnectionsPort } from "./fan-out.ts";
import type { Frame } from "./send-queue.ts";
import type { ConnectionItem } from "./subscriptions.ts";

/** Posts in flight at a time, at most. */
const MAX_SOCKETS = 256;

/** Time without a byte after which a post has failed. */
const POST_LIMIT_MS = 5_000;
const GONE = 410;
const TOO_LARGE = 413;

/**
 * The @connections API of API Gateway. Nothing is retried here: the fan-out does it. `local`: the endpoint is the local
 * gateway. `forget` removes a connection from the table.
 */
export function gatewayConnections(
  endpoint: string,
  region: string,
  local: boolean,
  forget: (connectionId: string) => Promise<void>,
  log: Logger,
): ConnectionsPort {
  const client = new ApiGatewayManagementApiClient({
    endpoint,
    region,
    maxAttempts: 1,
    ...(local ? { credentials: localCredentials } : {}),
  });
  const post = poster(new URL(endpoint), region, client);
  return {
    async post(connectionId, frame) {
      try {
        const status = await post(connectionId, frame);
        if (status === 200) return "sent";
        if (status === GONE) return "gone";
        if (status === TOO_LARGE) {
          log.error({ connectionId, bytes: frame.body.length }, "frame is too large and was not sent");
          return "refused";
        }
        log.warn({ status, connectionId }, "frame was not accepted and will be sent again");
      } catch (error) {
        log.warn({ err: error, connectionId }, "frame could not be posted and will be sent again");
      }
      return "retry";
    },
    forget,
    async close(connectionId) {
      log.warn({ connectionId }, "connection is closed: it is too slow for what is never dropped");
      try {
        await client.send(new DeleteConnectionCommand({ ConnectionId: connectionId }));
      } catch (error) {
        if (!(error instanceof GoneException)) log.warn({ err: error, connectionId }, "connection could not be closed");
      }
      await forget(connectionId);
    },
  };
}

/**
 * Posts frames as the SDK's client does, signed by its signer, without its other layers: they cost several times what
 * the request does. Gives the status of the answer; rejects when there is none.
 */
function poster(
  endpoint: URL,
  region: string,
  { config }: ApiGatewayManagementApiClient,
): (connectionId: string, frame: Frame) => Promise<number> {
  const secure = endpoint.protocol === "https:";
  const agentOptions = { keepAlive: true, maxSockets: MAX_SOCKETS };
  const agent = secure ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions);
  const send = secure ? httpsRequest : httpRequest;
  const stage = endpoint.pathname.replace(/\/$/, "");
  const signing = { signingRegion: region, signingService: "execute-api" };
  const { protocol, hostname, host } = endpoint;
  return async (connectionId, frame) => {
    const path = `${stage}/@connections/${encodeURIComponent(connectionId)}`;
    // The signer takes the body's hash from the header: a frame that many get is hashed once.
    const given = { host, "x-amz-content-sha256": frame.sha256 };
    const unsigned = { method: "POST", protocol, hostname, path, query: {}, headers: given };
    const { headers } = await (await config.signer()).sign(unsigned, signing);
    const { body } = frame;
    return new Promise((resolve, reject) => {
      const request = send({
        agent,
        hostname,
        port: endpoint.port,
        method: "POST",
        path,
        headers: { ...headers, "content-type": "application/octet-stream", "content-length": body.length },
        timeout: POST_LIMIT_MS,
      });
      request.on("response", (response) => {
        response.resume().on("end", () => resolve(response.statusCode ?? 0));
        response.on("error", reject);
      });
      request.on("timeout", () => request.destroy(new Error(`no answer within ${POST_LIMIT_MS} ms`)));
      request.on("error", reject);
      request.end(body);
    });
  };
}

/** The table of connections; `lambda/shared/connections-table.ts` describes its items. */
export interface ConnectionsTable {
  /** All connections; an empty list while the table does not exist. Rejects when DynamoDB fails. */
  list(): Promise<ConnectionItem[]>;
  /** Removes a connection. Never rejects: a failure is logged. */
  forget(connectionId: string): Promise<void>;
  /** Removes what a connection has been sent again. Never rejects: a failure is logged. */
  resumed(connectionId: string, resumes: readonly string[]): Promise<void>;
}

/** The table of this name. `endpoint`: a local DynamoDB instead of the region's. */
export function connectionsTable(
  tableName: string,
  region: string,
  endpoint: string | undefined,
  log: Logger,
): ConnectionsTable {
  const client = dynamoDbClient(region, endpoint);
  return {
    async list() {
      const items: ConnectionItem[] = [];
      try {
        for await (const { Items = [] } of paginateScan({ client }, { TableName: tableName, ConsistentRead: true }))
          items.push(...Items.map(toItem));
      } catch (error) {
        if (!(error instanceof ResourceNotFoundException)) throw error;
      }
      return items;
    },
    async forget(connectionId) {
      try {
        await client.send(new DeleteItemCommand({ TableName: tableName, Key: { connectionId: { S: connectionId } } }));
      } catch (error) {
        log.warn({ err: error, connectionId }, "connection could not be removed from the table");
      }
    },
    async resumed(connectionId, resumes) {
      try {
        await client.send(
          new UpdateItemCommand({
            TableName: tableName,
            Key: { connectionId: { S: connectionId } },
            UpdateExpression: "DELETE resumes :resumes",
            // An update would create the item of a connection that has ended.
            ConditionExpression: "attribute_exists(connectionId)",
            ExpressionAttributeValues: { ":resumes": { SS: [...resumes] } },
          }),
        );
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException))
          log.warn({ err: error, connectionId }, "what was sent again could not be removed from the table");
      }
    },
  };
}

function toItem({ connectionId, sensors, sessions, symbols, resumes }: Record<string, AttributeValue>): ConnectionItem {
  return {
    connectionId: connectionId?.S ?? "",
    sensors: new Set(sensors?.SS),
    sessions: new Set(sessions?.SS),
    symbols: new Set(symbols?.SS),
    resumes: new Set(resumes?.SS),
  };
}
