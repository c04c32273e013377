import type { EnvironmentInput } from "../schema.ts";

/** For trying things out: smallest sizes, no NAT, open API, and everything goes when the stacks go. */
export default {
  name: "dev",
  region: "us-east-1",
  zones: ["us-east-1a", "us-east-1b"],
  tags: { owner: "platform", "cost-center": "millrace-dev" },
  retainData: false,
  ownsAccountSettings: true,
  logRetentionDays: 7,
  network: { cidr: "10.20.0.0/16", natGateways: 0 },
  kafka: {},
  bridge: { tasks: 1, connectionsPerTask: 2 },
  processor: { delivery: "transactional", sensor: { minTasks: 1, maxTasks: 2 } },
  live: { tasks: 1 },
  lake: {
    glacierAfterDays: 30,
    expireAfterDays: 60,
    bufferMiB: 64,
    bufferSeconds: 60,
    replica: null,
    queryScanLimitGiB: 10,
    auditTrail: false,
  },
  features: { onlineTtlDays: 7 },
  documents: { minCapacity: 0.5, maxCapacity: 2, instances: 1, backupDays: 7 },
  api: {
    domain: null,
    websocketDomain: null,
    auth: null,
    corsOrigins: ["*"],
    requestsPerSecond: 50,
    burst: 100,
    requestsPerDay: 100_000,
  },
  web: { domain: null, webAclArn: null },
  alarms: { email: null },
} satisfies EnvironmentInput;
