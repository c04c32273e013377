import type { Connections } from "../../local/servers/index.ts";

/**
 * What the variables of the templates are on this machine, where they hold an address, or a right that only AWS gives.
 * Every other variable is used as the template has it. `undefined` takes one away.
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
    // Tables have their names from the template (a reference to a table is its name): see `resolve`.
    // Log-ins: the local servers know neither IAM nor TLS.
    KAFKA_AUTH: "none",
    MONGODB_SECRET_ARN: undefined,
    MONGODB_CA_FILE: undefined,
    // Models come from a bucket; without one the processor does not score.
    MODEL_SOURCE: undefined,
  };
}

/** Variables that stand in no template: on AWS the SDKs find the region's own endpoints, and credentials. */
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
