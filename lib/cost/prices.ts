/** One unit price in US dollars. */
export interface Price {
  readonly dollars: number;
  readonly per: string;
  readonly source: keyof typeof sources;
  /** Month of the price, as far as it is another one than `PRICES_AS_OF`. */
  readonly asOf?: string;
}

/**
 * Public list prices of us-east-1 without discounts, taxes and free tiers, as of this month. Only DocumentDB's were
 * compared with AWS's page in it; the others are the list prices known to the authors, not compared. Compare them with
 * the sources before a decision depends on them, and correct date and figure together.
 */
export const PRICES_AS_OF = "2026-06";
export const PRICES_REGION = "us-east-1";

export const sources = {
  apiGateway: "https://aws.amazon.com/api-gateway/pricing/",
  cloudFront: "https://aws.amazon.com/cloudfront/pricing/",
  cognito: "https://aws.amazon.com/cognito/pricing/",
  cloudWatch: "https://aws.amazon.com/cloudwatch/pricing/",
  documentDb: "https://aws.amazon.com/documentdb/pricing/",
  eventBridge: "https://aws.amazon.com/eventbridge/pricing/",
  dynamoDb: "https://aws.amazon.com/dynamodb/pricing/on-demand/",
  fargate: "https://aws.amazon.com/fargate/pricing/",
  firehose: "https://aws.amazon.com/firehose/pricing/",
  iotCore: "https://aws.amazon.com/iot-core/pricing/",
  kms: "https://aws.amazon.com/kms/pricing/",
  lambda: "https://aws.amazon.com/lambda/pricing/",
  msk: "https://aws.amazon.com/msk/pricing/",
  privateLink: "https://aws.amazon.com/privatelink/pricing/",
  s3: "https://aws.amazon.com/s3/pricing/",
  sageMaker: "https://aws.amazon.com/sagemaker/ai/pricing/",
  secretsManager: "https://aws.amazon.com/secrets-manager/pricing/",
  sqs: "https://aws.amazon.com/sqs/pricing/",
  vpc: "https://aws.amazon.com/vpc/pricing/",
  waf: "https://aws.amazon.com/waf/pricing/",
} as const;

export const prices = {
  iotMessagesFirstBillion: { dollars: 1.0, per: "million messages of 5 KB, first billion a month", source: "iotCore" },
  iotMessagesNextFourBillion: { dollars: 0.8, per: "million messages of 5 KB, next 4 billion", source: "iotCore" },
  iotMessagesBeyond: { dollars: 0.7, per: "million messages of 5 KB, beyond 5 billion", source: "iotCore" },
  iotConnection: { dollars: 0.08, per: "million minutes of connection", source: "iotCore" },
  mskCluster: { dollars: 0.75, per: "cluster hour", source: "msk" },
  mskPartition: { dollars: 0.0015, per: "partition hour", source: "msk" },
  mskIn: { dollars: 0.1, per: "GB written", source: "msk" },
  mskOut: { dollars: 0.05, per: "GB read", source: "msk" },
  mskStorage: { dollars: 0.1, per: "GB month", source: "msk" },
  fargateVcpu: { dollars: 0.03238, per: "arm64 vCPU hour", source: "fargate" },
  fargateMemory: { dollars: 0.00356, per: "arm64 GB hour", source: "fargate" },
  fargateStorage: { dollars: 0.000111, per: "GB hour of disk beyond 20 GB", source: "fargate" },
  busEvent: { dollars: 1.0, per: "million events of 64 KB", source: "eventBridge" },
  archiveProcessing: { dollars: 0.1, per: "GB archived", source: "eventBridge" },
  archiveStorage: { dollars: 0.023, per: "GB month of the archive", source: "eventBridge" },
  queueRequest: { dollars: 0.4, per: "million requests of 64 KB", source: "sqs" },
  lambdaRequest: { dollars: 0.2, per: "million requests", source: "lambda" },
  lambdaDuration: { dollars: 0.0000133334, per: "arm64 GB second", source: "lambda" },
  lambdaPollerUnit: { dollars: 0.185, per: "event poller unit hour", source: "lambda" },
  firehoseIngest: { dollars: 0.029, per: "GB, each record rounded up to 5 KB", source: "firehose" },
  firehoseConversion: { dollars: 0.018, per: "GB converted to Parquet, as ingested", source: "firehose" },
  firehosePartitioning: { dollars: 0.02, per: "GB partitioned", source: "firehose" },
  firehoseJq: { dollars: 0.07, per: "hour of jq", source: "firehose" },
  s3Standard: { dollars: 0.023, per: "GB month", source: "s3" },
  s3Glacier: { dollars: 0.004, per: "GB month, Glacier Instant Retrieval", source: "s3" },
  s3Request: { dollars: 0.005, per: "thousand PUT, COPY, POST and LIST requests", source: "s3" },
  featureWrite: { dollars: 1.25, per: "million write request units of 1 KB", source: "sageMaker" },
  documentDcu: { dollars: 0.0822, per: "DCU hour, standard storage", source: "documentDb" },
  documentIo: { dollars: 0.2, per: "million I/Os", source: "documentDb" },
  documentStorage: { dollars: 0.1, per: "GB month", source: "documentDb" },
  dynamoWrite: { dollars: 0.625, per: "million write request units of 1 KB", source: "dynamoDb" },
  dynamoStorage: { dollars: 0.25, per: "GB month", source: "dynamoDb" },
  activeUser: { dollars: 0.015, per: "monthly active user, plan Essentials", source: "cognito" },
  restRequest: { dollars: 3.5, per: "million requests", source: "apiGateway" },
  webSocketMessage: { dollars: 1.0, per: "million messages of 32 KB", source: "apiGateway" },
  webSocketMinute: { dollars: 0.25, per: "million minutes of connection", source: "apiGateway" },
  natHour: { dollars: 0.045, per: "NAT gateway hour", source: "vpc" },
  natData: { dollars: 0.045, per: "GB through NAT", source: "vpc" },
  publicAddress: { dollars: 0.005, per: "public IPv4 address hour", source: "vpc" },
  endpointHour: { dollars: 0.01, per: "interface endpoint and zone hour", source: "privateLink" },
  logsIngest: { dollars: 0.5, per: "GB of logs", source: "cloudWatch" },
  customMetric: { dollars: 0.3, per: "custom metric month, the first 10,000", source: "cloudWatch" },
  alarm: { dollars: 0.1, per: "metric of an alarm and month", source: "cloudWatch" },
  compositeAlarm: { dollars: 0.5, per: "composite alarm month", source: "cloudWatch" },
  dashboard: { dollars: 3.0, per: "dashboard month", source: "cloudWatch" },
  key: { dollars: 1.0, per: "key month", source: "kms" },
  secret: { dollars: 0.4, per: "secret month", source: "secretsManager" },
  webAcl: { dollars: 5.0, per: "web ACL month", source: "waf" },
  webAclRule: { dollars: 1.0, per: "rule month", source: "waf" },
} as const satisfies Record<string, Price>;
export type PriceName = keyof typeof prices;
