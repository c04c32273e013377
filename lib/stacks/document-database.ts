import {
  aws_docdb as docdb,
  aws_ec2 as ec2,
  aws_logs as logs,
  aws_secretsmanager as secretsmanager,
  Duration,
  RemovalPolicy,
} from "aws-cdk-lib";
import type { MillraceStack } from "../constructs/millrace-stack.ts";
import { resourceName } from "../names.ts";
import { acknowledge, acknowledgeLint } from "../reusable/acknowledge.ts";
import type { NetworkStack } from "./network.ts";
import type { SecurityStack } from "./security.ts";

/** Characters that have a meaning in a MongoDB connection string. */
const PASSWORD_EXCLUDES = '"@/:%?#[]';
const PORT = 27_017;

/** DocumentDB Serverless: cluster, instances, logs, and a secret with a password that changes every month. */
export function documentDatabase(
  stack: MillraceStack,
  network: NetworkStack,
  security: SecurityStack,
): { cluster: docdb.DatabaseCluster; secret: secretsmanager.ISecret } {
  const cluster = databaseCluster(stack, network, security);
  const { secret } = cluster;
  if (!secret) throw new Error("the document database has no secret");
  exportedLogs(stack, cluster);
  acknowledge(cluster, {
    DOC2:
      "another port hides nothing from who is in the VPC; a security group lets in the functions that read and " +
      "write sessions, and the task of operators' commands with the processors beside it",
    DOC3: "user and password come from Secrets Manager, by a reference that the rule can't read",
    DOC5: "the exports are called audit and profiler now; audit_logs=all has the events that the rule looks for",
  });
  const made = instances(stack, cluster);
  rotation(stack, secret, network);
  // The first password is changed at once, by a function that logs in with it. The schedule is a child of the secret.
  for (const schedule of secret.node.findAll().filter((child) => child instanceof secretsmanager.CfnRotationSchedule))
    schedule.node.addDependency(...made);
  return { cluster, secret };
}

function databaseCluster(stack: MillraceStack, network: NetworkStack, { keys }: SecurityStack): docdb.DatabaseCluster {
  const { documents, retainData } = stack.config;
  const parameterGroup = new docdb.ClusterParameterGroup(stack, "DocumentsParameters", {
    family: "docdb5.0",
    description: "TLS only, with an audit log",
    parameters: { tls: "enabled", audit_logs: "all", profiler: "enabled", profiler_threshold_ms: "100" },
  });
  return new docdb.DatabaseCluster(stack, "Documents", {
    dbClusterName: resourceName(stack.config, "documents"),
    engineVersion: "5.0.0",
    masterUser: { username: "millrace", kmsKey: keys.secrets, excludeCharacters: PASSWORD_EXCLUDES },
    serverlessV2ScalingConfiguration: { minCapacity: documents.minCapacity, maxCapacity: documents.maxCapacity },
    instances: documents.instances,
    vpc: network.vpc,
    vpcSubnets: network.privateSubnets,
    securityGroup: network.securityGroups.documents,
    storageEncrypted: true,
    kmsKey: keys.state,
    parameterGroup,
    backup: { retention: Duration.days(documents.backupDays), preferredWindow: "02:00-03:00" },
    preferredMaintenanceWindow: "sun:03:30-sun:04:30",
    deletionProtection: retainData,
    copyTagsToSnapshot: true,
    removalPolicy: retainData ? RemovalPolicy.SNAPSHOT : RemovalPolicy.DESTROY,
    exportAuditLogsToCloudWatch: true,
    exportProfilerLogsToCloudWatch: true,
  });
}

/** DocumentDB would make these log groups itself, without an end to what they keep. */
function exportedLogs(stack: MillraceStack, cluster: docdb.DatabaseCluster): void {
  for (const name of ["audit", "profiler"]) {
    const log = new logs.LogGroup(stack, `DocumentsLogs-${name}`, {
      logGroupName: `/aws/docdb/${resourceName(stack.config, "documents")}/${name}`,
      retention: stack.config.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    cluster.node.addDependency(log);
  }
}

/** The CDK makes no instances for a serverless cluster. Without one there is nothing to connect to. */
function instances(stack: MillraceStack, cluster: docdb.DatabaseCluster): docdb.CfnDBInstance[] {
  return Array.from({ length: stack.config.documents.instances }, (_, index) => {
    const n = index + 1;
    const instance = new docdb.CfnDBInstance(stack, `DocumentsInstance${n}`, {
      dbClusterIdentifier: cluster.clusterIdentifier,
      dbInstanceIdentifier: resourceName(stack.config, `documents-${n}`),
      dbInstanceClass: "db.serverless",
      autoMinorVersionUpgrade: true,
      preferredMaintenanceWindow: "sun:05:00-sun:06:00",
    });
    instance.applyRemovalPolicy(RemovalPolicy.DESTROY);
    acknowledgeLint(
      instance,
      "E3620",
      "db.serverless is the class of DocumentDB Serverless, which the rule's list does not have yet",
    );
    return instance;
  });
}

/** A new password every month. The network stack has the rules of the connections, so the groups are immutable here. */
function rotation(
  stack: MillraceStack,
  secret: secretsmanager.ISecret,
  { vpc, privateSubnets, securityGroups }: NetworkStack,
): void {
  const immutable = (id: string, group: ec2.ISecurityGroup): ec2.ISecurityGroup =>
    ec2.SecurityGroup.fromSecurityGroupId(stack, id, group.securityGroupId, { mutable: false });
  new secretsmanager.SecretRotation(stack, "DocumentsRotation", {
    application: secretsmanager.SecretRotationApplication.MONGODB_ROTATION_SINGLE_USER,
    secret,
    target: {
      connections: new ec2.Connections({
        defaultPort: ec2.Port.tcp(PORT),
        securityGroups: [immutable("DocumentsGroup", securityGroups.documents)],
      }),
    },
    vpc,
    vpcSubnets: privateSubnets,
    securityGroup: immutable("RotationGroup", securityGroups.rotation),
    automaticallyAfter: Duration.days(30),
    excludeCharacters: PASSWORD_EXCLUDES,
  });
}
