import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  ResourceInUseException,
  ResourceNotFoundException,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
  type CreateTableCommandInput,
} from "@aws-sdk/client-dynamodb";
import { localCredentials } from "../../adapters/local-credentials.ts";
import { HOUR } from "../../domain/time.ts";

/**
 * The table of WebSocket connections: one item per connection.
 *
 * | attribute      | type                  | holds                                                                                     |
 * | -------------- | --------------------- | ----------------------------------------------------------------------------------------- |
 * | `connectionId` | S, partition key      | API Gateway's id of the connection                                                        |
 * | `sensors`      | SS, absent when empty | sensor ids it has subscribed to                                                           |
 * | `sessions`     | SS, absent when empty | session ids it has subscribed to                                                          |
 * | `expiresAt`    | N                     | epoch seconds at which DynamoDB may delete it (TTL): a connection lives two hours at most |
 */
export const connectionAttributes = {
  id: "connectionId",
  sensors: "sensors",
  sessions: "sessions",
  expiresAt: "expiresAt",
} as const;

/** How long after its connect an item goes by itself: API Gateway's limit of two hours, and some. */
export const CONNECTION_LIFE_MS = 2.5 * HOUR;

export function connectionsTableSpec(tableName: string): CreateTableCommandInput {
  return {
    TableName: tableName,
    BillingMode: "PAY_PER_REQUEST",
    KeySchema: [{ AttributeName: connectionAttributes.id, KeyType: "HASH" }],
    AttributeDefinitions: [{ AttributeName: connectionAttributes.id, AttributeType: "S" }],
  };
}

/** `endpoint` is a local DynamoDB instead of the region's own. */
export function dynamoDbClient(region: string, endpoint: string | undefined): DynamoDBClient {
  return new DynamoDBClient({ region, ...(endpoint ? { endpoint, credentials: localCredentials } : {}) });
}

/** Creates the table where it is missing; for local set-up, as on AWS the stack creates it. */
export async function ensureConnectionsTable(client: DynamoDBClient, tableName: string): Promise<void> {
  try {
    await client.send(new DescribeTableCommand({ TableName: tableName }));
    return;
  } catch (error) {
    if (!(error instanceof ResourceNotFoundException)) throw error;
  }
  try {
    await client.send(new CreateTableCommand(connectionsTableSpec(tableName)));
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error;
  }
  await waitUntilTableExists({ client, maxWaitTime: 30, minDelay: 1, maxDelay: 2 }, { TableName: tableName });
  // Setting it twice at the same time is refused, and harmless.
  await client
    .send(
      new UpdateTimeToLiveCommand({
        TableName: tableName,
        TimeToLiveSpecification: { AttributeName: connectionAttributes.expiresAt, Enabled: true },
      }),
    )
    .catch(() => undefined);
}
