import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GoneException,
  PayloadTooLargeException,
  PostToConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";
import {
  DeleteItemCommand,
  paginateScan,
  ResourceNotFoundException,
  type AttributeValue,
} from "@aws-sdk/client-dynamodb";
import { dynamoDbClient } from "../adapters/dynamodb.ts";
import { localCredentials } from "../adapters/local-credentials.ts";
import type { Logger } from "../adapters/log.ts";
import type { ConnectionsPort } from "./fan-out.ts";
import type { ConnectionItem } from "./subscriptions.ts";

/** Posts in flight at a time, at most. */
const MAX_SOCKETS = 256;

/**
 * The @connections API of API Gateway. The SDK does not retry: the fan-out does. `local`: the endpoint is the local
 * gateway. `forget` removes a connection from the table.
 */
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
          const bytes = Buffer.byteLength(frame);
          log.error({ err: error, connectionId, bytes }, "frame is too large and was not sent");
          return "refused";
        }
        log.warn({ err: error, connectionId }, "frame was not accepted and will be sent again");
        return "retry";
      }
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

/** The table of connections; `lambda/shared/connections-table.ts` describes its items. */
export interface ConnectionsTable {
  /** All connections; an empty list while the table does not exist. Rejects when DynamoDB fails. */
  list(): Promise<ConnectionItem[]>;
  /** Removes a connection. Never rejects: a failure is logged. */
  forget(connectionId: string): Promise<void>;
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
  };
}

function toItem({ connectionId, sensors, sessions, symbols }: Record<string, AttributeValue>): ConnectionItem {
  return {
    connectionId: connectionId?.S ?? "",
    sensors: new Set(sensors?.SS),
    sessions: new Set(sessions?.SS),
    symbols: new Set(symbols?.SS),
  };
}
