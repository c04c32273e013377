import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GoneException,
  PayloadTooLargeException,
  PostToConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";
import { DeleteItemCommand, DynamoDBClient, paginateScan, ResourceNotFoundException } from "@aws-sdk/client-dynamodb";
import { localCredentials } from "../adapters/local-credentials.ts";
import type { Logger } from "../adapters/log.ts";
import type { ConnectionsPort } from "./fan-out.ts";
import type { ConnectionItem } from "./subscriptions.ts";

/** Posts under way at a time, at most. */
const MAX_SOCKETS = 256;

/** The @connections API of API Gateway. It is tried once for each call: the fan-out retries. */
export function gatewayConnections(
  endpoint: string,
  region: string,
  local: boolean,
  forget: (connectionId: string) => Promise<void>,
  log: Logger,
): ConnectionsPort {
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS };
  const client = new ApiGatewayManagementApiClient({
    endpoint,
    region,
    maxAttempts: 1,
    requestHandler: {
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
      connectionTimeout: 2_000,
      requestTimeout: 5_000,
    },
    ...(local ? { credentials: localCredentials } : {}),
  });
  return {
    async post(connectionId, frame) {
      try {
        await client.send(new PostToConnectionCommand({ ConnectionId: connectionId, Data: frame }));
        return "sent";
      } catch (error) {
        if (error instanceof GoneException) return "gone";
        if (error instanceof PayloadTooLargeException) {
          log.error(
            { err: error, connectionId, bytes: Buffer.byteLength(frame) },
            "frame is too large and was not sent",
          );
          return "refused";
        }
        log.warn({ err: error, connectionId }, "frame was not taken and will be sent again");
        return "retry";
      }
    },
    forget,
    async close(connectionId) {
      log.warn({ connectionId }, "connection is closed: it is too slow for its windows and sessions");
      await client.send(new DeleteConnectionCommand({ ConnectionId: connectionId })).catch((error: unknown) => {
        if (!(error instanceof GoneException)) log.warn({ err: error, connectionId }, "connection could not be closed");
      });
      await forget(connectionId);
    },
  };
}

/** The table of connections, see `lambda/shared/connections-table.ts`. */
export interface ConnectionsTable {
  /** All connections; none while the table is not there yet. */
  list(): Promise<ConnectionItem[]>;
  /** Never rejects. */
  forget(connectionId: string): Promise<void>;
}

export function connectionsTable(
  tableName: string,
  region: string,
  endpoint: string | undefined,
  log: Logger,
): ConnectionsTable {
  const client = new DynamoDBClient({ region, ...(endpoint ? { endpoint, credentials: localCredentials } : {}) });
  return {
    async list() {
      const items: ConnectionItem[] = [];
      try {
        for await (const { Items = [] } of paginateScan({ client }, { TableName: tableName, ConsistentRead: true })) {
          for (const { connectionId, sensors, sessions } of Items)
            items.push({
              connectionId: connectionId?.S ?? "",
              sensors: new Set(sensors?.SS),
              sessions: new Set(sessions?.SS),
            });
        }
      } catch (error) {
        if (!(error instanceof ResourceNotFoundException)) throw error;
      }
      return items;
    },
    async forget(connectionId) {
      await client
        .send(new DeleteItemCommand({ TableName: tableName, Key: { connectionId: { S: connectionId } } }))
        .catch((error: unknown) =>
          log.warn({ err: error, connectionId }, "connection could not be removed from the table"),
        );
    },
  };
}
