import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { localCredentials } from "../../adapters/local-credentials.ts";

/**
 * In milliseconds. Without limits the SDK waits without end on a connection that gives no answer, and a task waits with
 * it. An item of 400 KB takes a tenth of a second.
 */
const LIMITS = { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true } as const;

/** A client of the region's DynamoDB, or of the local one at `dynamodbEndpoint`. */
export function createDynamo({
  region,
  dynamodbEndpoint,
}: {
  readonly region: string;
  readonly dynamodbEndpoint?: string | undefined;
}): DynamoDBClient {
  return new DynamoDBClient({
    region,
    requestHandler: LIMITS,
    // The SDK's own decoder first checks every character with a regular expression, which takes a third of the time of
    // loading a large state. Segments need no such check: they have a checksum.
    base64Decoder: (text) => Buffer.from(text, "base64"),
    ...(dynamodbEndpoint ? { endpoint: dynamodbEndpoint, credentials: localCredentials } : {}),
  });
}
