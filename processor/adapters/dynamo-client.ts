import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { localCredentials } from "../../adapters/local-credentials.ts";

/**
 * Without limits the SDK waits for ever on a connection that fell silent, and with it a task that claims its snapshot
 * or writes one. An item of 400 KB takes a tenth of a second.
 */
const LIMITS = { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true } as const;

/** DynamoDB of the region, or the local one at `dynamodbEndpoint`. */
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
    // The SDK's own looks at every character by a regular expression first: a third of the time of loading a large state. Segments have a checksum.
    base64Decoder: (text) => Buffer.from(text, "base64"),
    ...(dynamodbEndpoint ? { endpoint: dynamodbEndpoint, credentials: localCredentials } : {}),
  });
}
