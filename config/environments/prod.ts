import { DAY } from "../../domain/time.ts";
import type { EnvironmentInput } from "../schema.ts";

/**
 * Three zones, a NAT gateway in each, data kept and protected. The example.com names and the account are yours to
 * replace.
 */
export default {
  name: "prod",
  account: "111122223333",
  region: "us-east-1",
  zones: ["use1-az2", "use1-az4", "use1-az6"],
  tags: { owner: "platform", "cost-center": "millrace-prod" },
  retainData: true,
  ownsAccountSettings: true,
  mqttPrefix: "prod",
  deployer: { repository: "example/millrace" },
  logRetentionDays: 365,
  network: { cidr: "10.40.0.0/16", peerCidrs: ["10.20.0.0/16", "10.30.0.0/16"], natGateways: 3 },
  kafka: { partitions: { imuData: 20 }, retentionMs: { imuData: 7 * DAY } },
  bridge: { tasks: 4, connectionsPerTask: 10 },
  processor: {
    delivery: "transactional",
    sensor: { minTasks: 4, maxTasks: 20, memoryMiB: 4096 },
  },
  live: { minTasks: 3, maxTasks: 10 },
  operatorsApi: true,
  functions: { reserveConcurrency: true },
  lake: {
    glacierAfterDays: 90,
    bufferMiB: 128,
    bufferSeconds: 300,
    replica: {
      bucketArn: "arn:aws:s3:::millrace-prod-lake-replica",
      keyArn: "arn:aws:kms:us-west-2:111122223333:key/00000000-0000-4000-8000-000000000000",
    },
    queryScanLimitGiB: 1_000,
    auditTrail: true,
  },
  features: { onlineTtlDays: 30 },
  documents: { minCapacity: 2, maxCapacity: 32, instances: 3, backupDays: 30 },
  api: {
    domain: null,
    websocketDomain: null,
    auth: {
      issuer: "https://login.example.com/",
      audience: "millrace-prod",
      jwksUri: "https://login.example.com/.well-known/jwks.json",
      clientId: "millrace-prod-page",
      scopes: ["openid", "profile", "offline_access"],
      parameters: { audience: "millrace-prod" },
    },
    corsOrigins: ["https://millrace.example.com"],
    requestsPerSecond: 1_000,
    burst: 2_000,
  },
  web: {
    domain: {
      name: "millrace.example.com",
      certificateArn: "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-4000-8000-000000000000",
    },
    webAclArn: null,
  },
  alarms: { email: "oncall@example.com" },
  budget: { monthlyDollars: 20_000 },
} satisfies EnvironmentInput;
