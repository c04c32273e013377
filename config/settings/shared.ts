import { z } from "zod";
import { pipelineNames, type PipelineName } from "../../domain/pipelines.ts";
import { choice, choices, optionalText, text, texts, whole, type Setting } from "./setting.ts";

/** Every program has these. */
export const common = {
  environment: text("MILLRACE_ENV", "name of the environment; part of the names of all that it owns", "local"),
  region: text("AWS_REGION", "AWS region", "us-east-1"),
  logLevel: choice(
    "LOG_LEVEL",
    "least severe log level that is written",
    ["trace", "debug", "info", "warn", "error"],
    "info",
  ),
};

/** Of what reports metrics to CloudWatch. */
export const metricsLog = {
  metricsLog: choice(
    "METRICS_LOG",
    "whether metrics are written to the log, in CloudWatch's embedded metric format",
    ["none", "emf"],
    "none",
  ),
};

/** Of what answers REST requests. */
export const cors = {
  corsOrigins: texts("CORS_ORIGINS", "origins whose pages may read the answers, with commas between them; * for any", [
    "*",
  ]),
};

export const kafka = {
  kafkaBrokers: text("KAFKA_BROKERS", "comma-separated host:port of the Kafka brokers", "127.0.0.1:9092"),
  kafkaAuth: choice(
    "KAFKA_AUTH",
    "how to log in to Kafka: not at all, or by IAM (MSK Serverless)",
    ["none", "iam"],
    "none",
  ),
};

export const mongo = {
  mongodbUri: text(
    "MONGODB_URI",
    "MongoDB connection string without credentials",
    "mongodb://127.0.0.1:27017/?retryWrites=false",
  ),
  mongodbDatabase: text("MONGODB_DATABASE", "database of sessions, windows and sensors", "millrace"),
  mongodbSecretArn: optionalText("MONGODB_SECRET_ARN", "Secrets Manager secret with username and password"),
  mongodbCaFile: optionalText("MONGODB_CA_FILE", "CA bundle for TLS to DocumentDB"),
};

export const dynamodb = {
  dynamodbEndpoint: optionalText("DYNAMODB_ENDPOINT", "DynamoDB endpoint instead of the region's own"),
};

export const connections = {
  ...dynamodb,
  connectionsTable: text("CONNECTIONS_TABLE", "DynamoDB table of WebSocket connections", "millrace-local-connections"),
};

export const checkpoints = {
  checkpointTable: text("CHECKPOINT_TABLE", "DynamoDB table of snapshots", "millrace-local-checkpoints"),
};

export const health = { healthPort: whole("HEALTH_PORT", "port of GET /health; 0 for none", 0, 0, 65_535) };

const pipelineSetting: Setting<PipelineName> = {
  env: "PIPELINE",
  doc: "which pipeline runs",
  schema: z.enum(pipelineNames, { error: `there is no such pipeline; there are: ${pipelineNames.join(", ")}` }),
  default: "sensor",
};
/** Of the log in the input topic of the pipeline. */
export const logGeneration = whole(
  "LOG_GENERATION",
  "generation of the log in the pipeline's input topic; one more each time a lost log begins anew",
  1,
  1,
);
export const marketLogGeneration = whole(
  "MARKET_LOG_GENERATION",
  "the same of the market's log, for a program that writes the logs of several pipelines",
  1,
  1,
);
/** For programs that serve several pipelines. */
export const running = {
  pipelines: choices(
    "PIPELINES",
    "pipelines that run, with commas between them; what belongs to another one is not there",
    pipelineNames as [PipelineName, ...PipelineName[]],
    ["sensor"],
  ),
};
export const pipeline = { pipeline: pipelineSetting };
