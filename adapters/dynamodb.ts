import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { localCredentials } from "./local-credentials.ts";

/** A DynamoDB client with the SDK's defaults. `endpoint`: a local DynamoDB instead of the region's. */
export function dynamoDbClient(region: string, endpoint: string | undefined): DynamoDBClient {
  return new DynamoDBClient({ region, ...(endpoint ? { endpoint, credentials: localCredentials } : {}) });
}
