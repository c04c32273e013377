import { semanticsTable } from "../../domain/semantics.ts";
import { semantics } from "./semantics.ts";
import { choice, optionalText, text, whole } from "./setting.ts";
import {
  checkpoints,
  common,
  connections,
  cors,
  dynamodb,
  kafka,
  logGeneration,
  marketLogGeneration,
  metricsLog,
  mongo,
  running,
} from "./shared.ts";

/** Settings of the Lambda functions. */
export const functions = {
  /** WebSocket routes: connect, disconnect, subscribe. */
  websocket: { ...common, ...connections, ...running },
  /** REST routes. */
  rest: {
    ...common,
    ...cors,
    ...kafka,
    ...mongo,
    ...dynamodb,
    ...checkpoints,
    ...running,
    featureGroup: optionalText("FEATURE_GROUP", "feature group of windowed features"),
    marketFeatureGroup: optionalText("MARKET_FEATURE_GROUP", "feature group of bars"),
    tickets: choice("TICKETS", "whether POST /tickets gives tickets for the WebSocket API", ["no", "yes"], "no"),
    featureStoreEndpoint: optionalText(
      "FEATURE_STORE_ENDPOINT",
      "Feature Store runtime endpoint instead of the region's own",
    ),
  },
  /** `store-sessions`, `store-windows`, `store-dead-letters` and `store-market`. */
  store: {
    ...common,
    ...mongo,
    recentWindowsMs: whole("RECENT_WINDOWS_MS", "how long windows and bars are kept for reading, ms", 86_400_000, 1),
    recentSessionsMs: whole(
      "RECENT_SESSIONS_MS",
      "how long sessions, sensors and dead letters are kept after their last record, ms",
      7_776_000_000,
      1,
    ),
    maxSessions: whole("MAX_SESSIONS", "sessions that are kept, at most; 0 for no bound by number", 0, 0),
    maxSensors: whole("MAX_SENSORS", "sensors that are kept, at most; 0 for no bound by number", 0, 0),
    maxDeadLetters: whole("MAX_DEAD_LETTERS", "dead letters that are kept for reading, at most", 100_000, 1),
    recentAlertsMs: whole("RECENT_ALERTS_MS", "how long alerts are kept for reading, ms", 604_800_000, 1),
  },
  produceTrades: { ...common, ...kafka },
  writeLake: {
    ...common,
    earliestTimeMs: whole(
      semanticsTable.earliestTimeMs.env,
      "where the lake's partitions begin, epoch ms; times before it are moved there",
      semanticsTable.earliestTimeMs.default,
      semanticsTable.earliestTimeMs.min,
      semanticsTable.earliestTimeMs.max,
    ),
    logGeneration,
    marketLogGeneration,
    lakeStreams: optionalText(
      "LAKE_STREAMS",
      "delivery streams of the tables that have several, as `raw=4,aggregated=2`",
    ),
    firehoseEndpoint: optionalText("FIREHOSE_ENDPOINT", "Firehose endpoint instead of the region's own"),
  },
  writeFeatures: {
    ...common,
    ...running,
    featureGroup: text("FEATURE_GROUP", "feature group of windowed features", "millrace-local-sensor-windows-v2"),
    marketFeatureGroup: text("MARKET_FEATURE_GROUP", "feature group of bars", "millrace-local-market-bars-v2"),
    featureStoreEndpoint: optionalText(
      "FEATURE_STORE_ENDPOINT",
      "Feature Store runtime endpoint instead of the region's own",
    ),
    failureQueueUrl: optionalText("FAILURE_QUEUE_URL", "SQS queue of the records that were refused for good"),
    onFailureDir: optionalText("ON_FAILURE_DIR", "folder instead of the queue, locally"),
  },
  checkFeatures: {
    ...common,
    ...running,
    featureGroup: text("FEATURE_GROUP", "feature group of windowed features", "millrace-local-sensor-windows-v2"),
    marketFeatureGroup: text("MARKET_FEATURE_GROUP", "feature group of bars", "millrace-local-market-bars-v2"),
    featureStoreEndpoint: optionalText(
      "FEATURE_STORE_ENDPOINT",
      "Feature Store runtime endpoint instead of the region's own",
    ),
    offlineStoreEndpoint: optionalText(
      "OFFLINE_STORE_ENDPOINT",
      "endpoint of SageMaker and Athena instead of the region's own",
    ),
    athenaWorkGroup: text("ATHENA_WORK_GROUP", "Athena work group of the queries", "primary"),
  },
  auditOutput: {
    ...common,
    idleTimeoutMs: semantics.idleTimeoutMs,
    latenessMs: semantics.allowedLatenessMs,
    ...metricsLog,
  },
  /** The operators' API. */
  operators: { ...common, ...kafka, modelSource: optionalText("MODEL_SOURCE", "folder or s3:// prefix of models") },
  /** What starts an operator's command as a task of ECS. */
  startCommand: {
    ...common,
    modelSource: optionalText("MODEL_SOURCE", "folder or s3:// prefix of models"),
    ecsCluster: text("ECS_CLUSTER", "cluster in which commands run"),
    opsFamily: text("OPS_FAMILY", "family of the task that runs commands"),
    opsSubnets: text("OPS_SUBNETS", "subnets of that task, with commas between them"),
    opsSecurityGroup: text("OPS_SECURITY_GROUP", "security group of that task"),
    opsPublicAddress: choice("OPS_PUBLIC_ADDRESS", "whether that task gets an address of its own", ["yes", "no"], "no"),
  },
  /** What tells operators of programs and alarms. */
  readComponents: {
    ...common,
    ...running,
    ecsCluster: text("ECS_CLUSTER", "cluster in which the programs run"),
    ecsServices: text("ECS_SERVICES", "services of the programs without the environment, with commas between them"),
  },
  /** `authorize-request`: who issues the tokens of the REST API. */
  authorizer: {
    ...common,
    jwtIssuer: text("JWT_ISSUER", "issuer that a token must name"),
    jwtAudience: optionalText(
      "JWT_AUDIENCE",
      "audience that a token must name; without one it must be an access token of a user pool, which names none",
    ),
    jwksUri: text("JWKS_URI", "where the issuer publishes its keys"),
    groupsClaim: text("GROUPS_CLAIM", "claim of a token that lists the groups of who has signed in", "groups"),
    operatorsGroup: text("OPERATORS_GROUP", "group whose members are operators", "operators"),
  },
  /** `issue-ticket` and `authorize-connection`. */
  tickets: {
    ...common,
    ...cors,
    ...dynamodb,
    ticketsTable: text("TICKETS_TABLE", "DynamoDB table of WebSocket tickets", "millrace-local-tickets"),
  },
  /** `admit-device`. */
  devices: {
    ...common,
    ...dynamodb,
    devicesTable: text(
      "DEVICES_TABLE",
      "DynamoDB table of the devices that may provision themselves",
      "millrace-local-devices",
    ),
  },
} as const;
