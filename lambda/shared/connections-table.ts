import {
  CreateTableCommand,
  DescribeTableCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
  type CreateTableCommandInput,
  type DynamoDBClient,
} from "@aws-sdk/client-dynamodb";
import { HOUR } from "../../domain/time.ts";

/**
 * The table of WebSocket connections has one item per connection:
 *
 * - `connectionId`: string, the partition key. API Gateway's id of the connection.
 * - `sensors`: string set, absent when empty. The sensor ids that it has subscribed to; `*` are all.
 * - `sessions`: string set, absent when empty. The session ids that it has subscribed to.
 * - `symbols`: string set, absent when empty. The symbols that it has subscribed to.
 * - `resumes`: string set, absent when empty. What it asks to be sent again, each a `Resume` as JSON, until `live` has
 *   sent it.
 * - `expiresAt`: number, the TTL attribute. Epoch seconds from which DynamoDB may delete the item.
 */
export const connectionAttributes = {
  id: "connectionId",
  sensors: "sensors",
  sessions: "sessions",
  symbols: "symbols",
  resumes: "resumes",
  expiresAt: "expiresAt",
} as const;

/** How long after the connect DynamoDB may delete an item: API Gateway's limit of two hours, with a margin. */
export const CONNECTION_LIFE_MS = 2.5 * HOUR;

/** The table in the form that `CreateTable` takes. */
function connectionsTableSpec(tableName: string): CreateTableCommandInput {
  return {
    TableName: tableName,
    BillingMode: "PAY_PER_REQUEST",
    KeySchema: [{ AttributeName: connectionAttributes.id, KeyType: "HASH" }],
    AttributeDefinitions: [{ AttributeName: connectionAttributes.id, AttributeType: "S" }],
  };
}

/** Creates the table if it does not exist, for the local platform: on AWS the stack creates it. */
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
  // DynamoDB refuses the second of two programs that set it at the same time, which is harmless.
  await client
    .send(
      new UpdateTimeToLiveCommand({
        TableName: tableName,
        TimeToLiveSpecification: { AttributeName: connectionAttributes.expiresAt, Enabled: true },
      }),
    )
    .catch(() => undefined);
}
