import type { Connections } from "../../local/servers/index.ts";

/**
 * Values on this machine of the templates' variables that hold an address or need a right of AWS. Every other variable
 * keeps the template's value. `undefined` removes a variable.
 */
export function localAddresses(
  servers: Connections,
  endpoints: { readonly firehose: string; readonly features: string; readonly websocket: string },
): Readonly<Record<string, string | undefined>> {
  return {
    // Addresses.
    KAFKA_BROKERS: servers.kafkaBrokers,
    MQTT_URL: servers.mqttUrl,
    MONGODB_URI: servers.mongodbUri,
    WEBSOCKET_ENDPOINT: endpoints.websocket,
    // Where a user pool has its keys. No token is shown to it here.
    JWT_ISSUER: "https://127.0.0.1:9/pool",
    JWKS_URI: "https://127.0.0.1:9/pool/.well-known/jwks.json",
    // Tables have their names from the template (a reference to a table is its name): see `resolve`.
    // Log-ins: the local servers know neither IAM nor TLS.
    KAFKA_AUTH: "none",
    MONGODB_SECRET_ARN: undefined,
    MONGODB_CA_FILE: undefined,
    // There is no SQS: what would go to the queue goes to a file.
    FAILURE_QUEUE_URL: undefined,
    // Models come from a bucket; without one the processor does not score.
    MODEL_SOURCE: undefined,
    // No task is started.
    OPS_SUBNETS: "subnet-a,subnet-b",
    OPS_SECURITY_GROUP: "sg-processor",
  };
}

/** Variables that no template has: on AWS the SDKs find the region's endpoints and credentials themselves. */
export function localEndpoints(
  servers: Connections,
  endpoints: { readonly firehose: string; readonly features: string },
): Readonly<Record<string, string>> {
  return {
    DYNAMODB_ENDPOINT: servers.dynamodbEndpoint,
    FIREHOSE_ENDPOINT: endpoints.firehose,
    FEATURE_STORE_ENDPOINT: endpoints.features,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
  };
}
