import { z } from "zod";
import { MillraceError } from "../domain/errors.ts";
import { defaultSemantics, type Semantics } from "../domain/imu.ts";
import { SECOND } from "../domain/time.ts";
import { localPorts } from "./local.ts";

/** One setting of a program: the environment variable that carries it, how it is read, and what it is for. */
interface Setting<T> {
  readonly env: string;
  readonly schema: z.ZodType<T>;
  /** Value when the variable is absent; a setting without a default must be given. */
  readonly default?: T;
  readonly doc: string;
}

function text(env: string, doc: string, fallback?: string): Setting<string> {
  return { env, doc, schema: z.string().min(1), ...(fallback === undefined ? {} : { default: fallback }) };
}
function optionalText(env: string, doc: string): Setting<string | undefined> {
  return { env, doc, schema: z.string().min(1).optional(), default: undefined };
}
function whole(env: string, doc: string, fallback: number, min = 0, max = Number.MAX_SAFE_INTEGER): Setting<number> {
  return { env, doc, schema: z.coerce.number().int().min(min).max(max), default: fallback };
}
function fraction(env: string, doc: string, fallback: number): Setting<number> {
  return { env, doc, schema: z.coerce.number().min(0).max(1), default: fallback };
}
function choice<const T extends string>(
  env: string,
  doc: string,
  values: readonly [T, ...T[]],
  fallback: T,
): Setting<T> {
  return { env, doc, schema: z.enum(values) as unknown as z.ZodType<T>, default: fallback };
}

const common = {
  environment: text("MILLRACE_ENV", "name of the environment; stands in the names of everything it owns", "local"),
  region: text("AWS_REGION", "AWS region", "us-east-1"),
  logLevel: choice(
    "LOG_LEVEL",
    "least severe log level that is written",
    ["trace", "debug", "info", "warn", "error"],
    "info",
  ),
};
const kafka = {
  kafkaBrokers: text("KAFKA_BROKERS", "comma-separated host:port of the Kafka brokers", "127.0.0.1:9092"),
  kafkaAuth: choice(
    "KAFKA_AUTH",
    "how to log in to Kafka: not at all, or by IAM (MSK Serverless)",
    ["none", "iam"],
    "none",
  ),
};
const mongo = {
  mongodbUri: text(
    "MONGODB_URI",
    "MongoDB connection string without credentials",
    "mongodb://127.0.0.1:27017/?retryWrites=false",
  ),
  mongodbDatabase: text("MONGODB_DATABASE", "database of sessions, windows and sensors", "millrace"),
  mongodbSecretArn: optionalText("MONGODB_SECRET_ARN", "Secrets Manager secret with username and password"),
  mongodbCaFile: optionalText("MONGODB_CA_FILE", "CA bundle for TLS to DocumentDB"),
};
const dynamodb = {
  dynamodbEndpoint: optionalText("DYNAMODB_ENDPOINT", "DynamoDB endpoint instead of the region's own"),
};
const connections = {
  ...dynamodb,
  connectionsTable: text("CONNECTIONS_TABLE", "DynamoDB table of WebSocket connections", "millrace-local-connections"),
};

const semantics = {
  windowMs: whole("WINDOW_MS", "length of a window, ms", defaultSemantics.windowMs, 1),
  slideMs: whole("SLIDE_MS", "distance between window starts, ms; at most the window", defaultSemantics.slideMs, 1),
  allowedLatenessMs: whole(
    "ALLOWED_LATENESS_MS",
    "how long a fired window still takes readings, ms",
    defaultSemantics.allowedLatenessMs,
  ),
  outOfOrdernessMs: whole(
    "OUT_OF_ORDERNESS_MS",
    "how far readings may be out of order, ms",
    defaultSemantics.outOfOrdernessMs,
  ),
  sessionGapMs: whole("SESSION_GAP_MS", "silence that ends a session, ms", defaultSemantics.sessionGapMs, 1),
  idleTimeoutMs: whole(
    "IDLE_TIMEOUT_MS",
    "silence after which a sensor is idle, ms",
    defaultSemantics.idleTimeoutMs,
    1,
  ),
  futureGuardMs: whole(
    "FUTURE_GUARD_MS",
    "how far ahead of its record a sample may be, ms",
    defaultSemantics.futureGuardMs,
  ),
  expiryMs: whole(
    "EXPIRY_MS",
    "silence after which windows and sessions are forgotten, ms",
    defaultSemantics.expiryMs,
    1,
  ),
  tombstoneMs: whole(
    "TOMBSTONE_MS",
    "how much longer watermark and seen numbers stay, ms",
    defaultSemantics.tombstoneMs,
  ),
  watermark: choice(
    "WATERMARK_SCOPE",
    "one watermark per sensor or per partition",
    ["sensor", "partition"],
    defaultSemantics.watermark,
  ),
  maxIntervalsPerSensor: whole(
    "MAX_INTERVALS_PER_SENSOR",
    "intervals of seen numbers kept per sensor",
    defaultSemantics.maxIntervalsPerSensor,
    1,
  ),
  maxBootsPerSensor: whole("MAX_BOOTS_PER_SENSOR", "boots kept per sensor", defaultSemantics.maxBootsPerSensor, 1),
  transformedFormat: choice(
    "TRANSFORMED_FORMAT",
    "form of sensor-data-transformed",
    ["packed", "json"],
    defaultSemantics.transformedFormat,
  ),
  smoothingPercent: whole(
    "SMOOTHING_PERCENT",
    "share of the probabilities before in a hop's, percent",
    defaultSemantics.smoothingPercent,
    0,
    95,
  ),
  outputs: choice("OUTPUTS", "everything, or windows alone", ["all", "windows"], defaultSemantics.outputs),
} satisfies Record<
  keyof Semantics,
  | Setting<never>
  | Setting<number>
  | Setting<string>
  | Setting<Semantics["watermark"]>
  | Setting<Semantics["transformedFormat"]>
  | Setting<Semantics["outputs"]>
>;

/** Settings per program: CDK and the local platform write them, the programs read them. */
export const programs = {
  bridge: {
    ...common,
    ...kafka,
    mqttUrl: text("MQTT_URL", "mqtt://host:port, or wss://… for IoT Core with IAM", "mqtt://127.0.0.1:1883"),
    mqttClients: whole("MQTT_CLIENTS", "MQTT connections in the shared group", 2, 1, 1_000),
    mqttClientId: text("MQTT_CLIENT_ID", "stable prefix of the client ids", "millrace-bridge"),
    healthPort: whole("HEALTH_PORT", "port of GET /health; 0 for none", 0, 0, 65_535),
  },
  /** What the command line of the simulator does not say. */
  simulator: {
    ...common,
    mqttUrl: text("MQTT_URL", "mqtt://host:port of the broker", "mqtt://127.0.0.1:1883"),
    healthPort: whole("HEALTH_PORT", "port of GET /health; 0 for none", 0, 0, 65_535),
  },
  processor: {
    ...common,
    ...kafka,
    ...dynamodb,
    ...semantics,
    pipeline: choice("PIPELINE", "which pipeline runs", ["sensor", "market"], "sensor"),
    checkpointTable: text("CHECKPOINT_TABLE", "DynamoDB table of snapshots", "millrace-local-checkpoints"),
    delivery: choice(
      "DELIVERY",
      "Kafka transactions, or idempotent writes where there are none",
      ["transactional", "idempotent"],
      "transactional",
    ),
    commitIntervalMs: whole("COMMIT_INTERVAL_MS", "time between two commits, ms", 100, 1),
    snapshotIntervalMs: whole("SNAPSHOT_INTERVAL_MS", "time between two snapshots, ms", 10 * SECOND, 100),
    modelSource: optionalText("MODEL_SOURCE", "folder or s3:// prefix of models"),
    healthPort: whole("HEALTH_PORT", "port of GET /health; 0 for none", 0, 0, 65_535),
  },
  live: {
    ...common,
    ...kafka,
    ...connections,
    sessionGapMs: semantics.sessionGapMs,
    websocketEndpoint: text("WEBSOCKET_ENDPOINT", "endpoint of the @connections API", "http://127.0.0.1:8000"),
    healthPort: whole("HEALTH_PORT", "port of GET /health; 0 for none", 0, 0, 65_535),
  },
  /** WebSocket routes: connect, disconnect, subscribe. */
  websocket: { ...common, ...connections },
  /** REST routes. */
  rest: {
    ...common,
    ...kafka,
    ...mongo,
    ...dynamodb,
    checkpointTable: text("CHECKPOINT_TABLE", "DynamoDB table of snapshots", "millrace-local-checkpoints"),
    featureGroup: optionalText("FEATURE_GROUP", "feature group of windowed features"),
    featureStoreEndpoint: optionalText(
      "FEATURE_STORE_ENDPOINT",
      "Feature Store runtime endpoint instead of the region's own",
    ),
  },
  /** Store-sessions, store-windows. */
  store: {
    ...common,
    ...mongo,
    recentWindowsMs: whole("RECENT_WINDOWS_MS", "how long windows are kept for reading, ms", 86_400_000, 1),
  },
  writeLake: {
    ...common,
    firehoseEndpoint: optionalText("FIREHOSE_ENDPOINT", "Firehose endpoint instead of the region's own"),
  },
  writeFeatures: {
    ...common,
    featureGroup: text("FEATURE_GROUP", "feature group of windowed features", "millrace-local-sensor-windows"),
    featureStoreEndpoint: optionalText(
      "FEATURE_STORE_ENDPOINT",
      "Feature Store runtime endpoint instead of the region's own",
    ),
  },
  /** Create-topics, produce-test, consume-test. */
  kafkaTools: { ...common, ...kafka },
  /** Authorize-request: who issues the tokens of the REST API. */
  authorizer: {
    ...common,
    jwtIssuer: text("JWT_ISSUER", "issuer that a token must name"),
    jwtAudience: text("JWT_AUDIENCE", "audience that a token must name"),
    jwksUri: text("JWKS_URI", "where the issuer publishes its keys"),
  },
  /** Issue-ticket, authorize-connection. */
  tickets: {
    ...common,
    ...dynamodb,
    ticketsTable: text("TICKETS_TABLE", "DynamoDB table of WebSocket tickets", "millrace-local-tickets"),
  },
  /** Admit-device. */
  devices: {
    ...common,
    ...dynamodb,
    devicesTable: text(
      "DEVICES_TABLE",
      "DynamoDB table of the devices that may provision themselves",
      "millrace-local-devices",
    ),
  },
  /** Local Firehose endpoint. */
  firehose: {
    ...common,
    port: whole("FIREHOSE_PORT", "port of the local Firehose endpoint", localPorts.firehose, 0, 65_535),
    lakeDir: text("LAKE_DIR", "folder of the lake", ".millrace/data/lake"),
    bufferMs: whole("FIREHOSE_BUFFER_MS", "age at which a buffer is written as Parquet, ms", 5 * SECOND, 10),
    bufferBytes: whole(
      "FIREHOSE_BUFFER_BYTES",
      "size at which a buffer is written as Parquet",
      32 * 1024 * 1024,
      1_024,
    ),
    faultRate: fraction(
      "FIREHOSE_FAULT_RATE",
      "share of records that are refused as the service does when it throttles; for tests",
      0,
    ),
    healthPort: whole("HEALTH_PORT", "port of GET /health; 0 for none", 0, 0, 65_535),
  },
  /** Local Feature Store runtime endpoint. */
  features: {
    ...common,
    port: whole("FEATURES_PORT", "port of the local Feature Store endpoint", localPorts.features, 0, 65_535),
    dataDir: text("FEATURES_DIR", "folder of the local online store", ".millrace/data/features"),
    healthPort: whole("HEALTH_PORT", "port of GET /health; 0 for none", 0, 0, 65_535),
  },
  /** Local event source mappings; the functions' own settings stand in the same environment. */
  eventSource: {
    ...common,
    ...kafka,
    onFailureDir: text("ON_FAILURE_DIR", "folder of the on-failure destinations", ".millrace/data/on-failure"),
    healthPort: whole("HEALTH_PORT", "port of GET /health; 0 for none", 0, 0, 65_535),
  },
  /** Local API gateway and dashboard server; the functions' own settings stand in the same environment. */
  gateway: {
    ...common,
    port: whole("API_PORT", "port of REST, WebSocket and @connections", localPorts.api, 0, 65_535),
    dashboardPort: whole("DASHBOARD_PORT", "port of the dashboard; 0 for none", localPorts.dashboard, 0, 65_535),
    dashboardDir: text("DASHBOARD_DIR", "folder of the dashboard's files", "dashboard"),
    healthPort: whole("HEALTH_PORT", "port of GET /health; 0 for none", 0, 0, 65_535),
  },
} as const;

export type ProgramName = keyof typeof programs;
type Values<P> = { [K in keyof P]: P[K] extends Setting<infer T> ? T : never };
export type Settings<P extends ProgramName> = Values<(typeof programs)[P]>;

/**
 * Reads a program's settings from its environment.
 *
 * @throws MillraceError `config-invalid` that lists every problem: variable, value received, what was expected.
 */
export function readSettings<P extends ProgramName>(
  program: P,
  env: Readonly<Record<string, string | undefined>>,
): Settings<P> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(programs[program] as Record<string, Setting<unknown>>)) {
    const received = env[setting.env];
    if (received === undefined || received === "") {
      if ("default" in setting) values[name] = setting.default;
      else problems.push(`${setting.env} is missing: ${setting.doc}`);
      continue;
    }
    const result = setting.schema.safeParse(received);
    if (result.success) values[name] = result.data;
    else
      problems.push(
        `${setting.env} is ${JSON.stringify(received)}: ${result.error.issues.map((issue) => issue.message).join(", ")} (${setting.doc})`,
      );
  }
  if (program === "processor") problems.push(...semanticsProblems(values as unknown as Semantics));
  if (problems.length > 0)
    throw new MillraceError(
      "config-invalid",
      `settings of ${program}:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`,
    );
  return values as Settings<P>;
}

/** Writes settings as the environment that `readSettings` reads; absent values are left to their defaults. */
export function writeSettings<P extends ProgramName>(program: P, values: Partial<Settings<P>>): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, setting] of Object.entries(programs[program] as Record<string, Setting<unknown>>)) {
    const value = (values as Record<string, string | number | undefined>)[name];
    if (value !== undefined) env[setting.env] = String(value);
  }
  return env;
}

/** Settings of the semantics that contradict one another, each as a sentence. */
export function semanticsProblems(s: Semantics): string[] {
  const rules: [boolean, string][] = [
    [
      s.slideMs > s.windowMs,
      `slideMs is ${s.slideMs}, more than windowMs (${s.windowMs}): readings between windows would be dropped`,
    ],
    [
      s.futureGuardMs >= s.allowedLatenessMs,
      `futureGuardMs is ${s.futureGuardMs}, not below allowedLatenessMs (${s.allowedLatenessMs}): one wrong clock could make everything late`,
    ],
    [
      s.expiryMs <= s.allowedLatenessMs,
      `expiryMs is ${s.expiryMs}, not above allowedLatenessMs (${s.allowedLatenessMs})`,
    ],
    [s.expiryMs <= s.idleTimeoutMs, `expiryMs is ${s.expiryMs}, not above idleTimeoutMs (${s.idleTimeoutMs})`],
  ];
  return rules.filter(([broken]) => broken).map(([, sentence]) => sentence);
}
