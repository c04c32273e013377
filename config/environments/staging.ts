import type { EnvironmentInput } from "../schema.ts";

/** What production runs, at a smaller size: same protection of the API, one NAT gateway, data that may go. */
export default {
  name: "staging",
  region: "us-east-1",
  zones: ["use1-az4", "use1-az6"],
  tags: { owner: "platform", "cost-center": "millrace-staging" },
  retainData: false,
  ownsAccountSettings: false,
  mqttPrefix: "staging",
  logRetentionDays: 30,
  network: { cidr: "10.30.0.0/16", peerCidrs: ["10.20.0.0/16", "10.40.0.0/16"], natGateways: 1 },
  kafka: {},
  bridge: { tasks: 2, connectionsPerTask: 5 },
  processor: { delivery: "transactional", sensor: { minTasks: 2, maxTasks: 5 } },
  live: { minTasks: 2, maxTasks: 4 },
  operatorsApi: true,
  functions: { reserveConcurrency: true },
  lake: {
    glacierAfterDays: 30,
    expireAfterDays: 180,
    bufferMiB: 128,
    bufferSeconds: 300,
    replica: null,
    queryScanLimitGiB: 100,
    auditTrail: false,
  },
  features: { onlineTtlDays: 14 },
  documents: { minCapacity: 0.5, maxCapacity: 8, instances: 2, backupDays: 7 },
  api: {
    domain: null,
    websocketDomain: null,
    auth: { cognito: true },
    corsOrigins: ["https://staging.millrace.example.com"],
    requestsPerSecond: 200,
    burst: 400,
  },
  web: {
    domain: {
      name: "staging.millrace.example.com",
      certificateArn: "arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-4000-8000-000000000000",
    },
    webAclArn: null,
  },
  alarms: { email: null },
  budget: { monthlyDollars: 4_000 },
} satisfies EnvironmentInput;
