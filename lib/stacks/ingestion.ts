import {
  ArnFormat,
  Aws,
  aws_iam as iam,
  aws_iot as iot,
  type aws_kms as kms,
  aws_logs as logs,
  aws_sqs as sqs,
  CfnOutput,
  custom_resources as cr,
  Duration,
  RemovalPolicy,
} from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { MQTT_SUBSCRIPTION } from "../../domain/imu.ts";
import { MQTT_SHARE_GROUP } from "../../domain/names.ts";
import { topics } from "../../domain/topics.ts";
import { acknowledge, acknowledgeCdkFunctions, acknowledgeWildcards } from "../constructs/acknowledge.ts";
import { DeviceFleet } from "../constructs/device-fleet.ts";
import { allowTable } from "../constructs/grants.ts";
import { MillraceFunction } from "../constructs/millrace-function.ts";
import { HEALTH_PORT, StreamService } from "../constructs/stream-service.ts";
import { logGroupName, resourceName } from "../names.ts";
import type { NetworkStack } from "./network.ts";
import type { ProcessingStack } from "./processing.ts";
import type { SecurityStack } from "./security.ts";
import { MillraceStack } from "./stack.ts";
import type { StateStack } from "./state.ts";
import type { StreamingStack } from "./streaming.ts";

export interface IngestionNeeds {
  readonly network: NetworkStack;
  readonly security: SecurityStack;
  readonly streaming: StreamingStack;
  readonly state: StateStack;
  readonly processing: ProcessingStack;
}

/**
 * IoT Core: who devices are, what they may do, what is logged of them; and the bridge that takes their messages to
 * Kafka.
 */
export class IngestionStack extends MillraceStack {
  readonly #key: kms.IKey;
  #lookupLogs: logs.LogGroup | undefined;
  readonly bridges: readonly StreamService[];
  readonly ruleFailures: sqs.Queue;
  readonly admitDevice: MillraceFunction;

  constructor(scope: Construct, id: string, config: Environment, needs: IngestionNeeds) {
    super(scope, id, { config, stateful: false, description: "IoT Core and the bridge" });
    const { security, state } = needs;
    this.#key = security.keys.operations;
    this.admitDevice = new MillraceFunction(this, {
      name: "admit-device",
      description: "pre-provisioning hook: only registered devices get a certificate",
      environment: writeSettings("devices", { environment: config.name, devicesTable: state.tables.devices.tableName }),
      timeoutSeconds: 5,
      memoryMiB: 256,
      key: security.keys.operations,
      reservedConcurrency: 10,
    });
    allowTable(this.admitDevice, state.tables.devices, security.keys.state, ["GetItem"]);
    const fleet = new DeviceFleet(this, this.admitDevice);
    this.ruleFailures = new sqs.Queue(this, "RuleFailures", {
      queueName: resourceName(config, "iot-rule-failures"),
      encryption: sqs.QueueEncryption.KMS,
      encryptionMasterKey: security.keys.operations,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      removalPolicy: RemovalPolicy.DESTROY,
    });
    acknowledge(this.ruleFailures, { SQS3: "it is itself where failures go; an alarm watches it" });
    this.#presence(security);
    new iot.CfnResourceSpecificLogging(this, "FleetLogging", {
      targetType: "THING_GROUP",
      targetName: fleet.thingGroup.ref,
      logLevel: config.retainData ? "WARN" : "INFO",
    }).addResourceDependency(fleet.thingGroup);
    if (config.ownsAccountSettings) this.#accountSettings();
    this.bridges = this.#bridges(needs);
    acknowledgeCdkFunctions(this, "AWS679f53fac002430cb0da5b7982bd2287", "makes one AWS call for a custom resource");
  }

  /** Connects and disconnects of devices, as log lines; what can't be written goes to the failure queue. */
  #presence({ keys }: SecurityStack): void {
    const logGroup = new logs.LogGroup(this, "PresenceLogs", {
      logGroupName: logGroupName(this.config, "iot/presence"),
      encryptionKey: keys.operations,
      retention: this.config.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new iam.Role(this, "RuleRole", {
      assumedBy: new iam.ServicePrincipal("iot.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": this.account } },
      }),
      description: "what IoT rules may write",
    });
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        resources: [logGroup.logGroupArn, `${logGroup.logGroupArn}:log-stream:*`],
      }),
    );
    role.addToPolicy(
      new iam.PolicyStatement({ actions: ["sqs:SendMessage"], resources: [this.ruleFailures.queueArn] }),
    );
    role.addToPolicy(
      new iam.PolicyStatement({ actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [keys.operations.keyArn] }),
    );
    acknowledgeWildcards(role, { ":log-stream:*": "IoT Core names its log streams itself, within the one log group" });
    for (const event of ["connected", "disconnected"] as const) {
      const rule = new iot.CfnTopicRule(this, `Rule-${event}`, {
        ruleName: `millrace_${this.config.name}_${event}`,
        topicRulePayload: {
          description: `devices that ${event}`,
          sql: `SELECT eventType, clientId, timestamp, disconnectReason, ipAddress FROM '$aws/events/presence/${event}/+'`,
          awsIotSqlVersion: "2016-03-23",
          ruleDisabled: false,
          actions: [{ cloudwatchLogs: { logGroupName: logGroup.logGroupName, roleArn: role.roleArn } }],
          errorAction: { sqs: { queueUrl: this.ruleFailures.queueUrl, roleArn: role.roleArn, useBase64: false } },
        },
      });
      rule.node.addDependency(role);
    }
  }

  /** Once in an account and region: where IoT Core logs to, and that things can be searched for. */
  #accountSettings(): void {
    const role = new iam.Role(this, "LoggingRole", {
      assumedBy: new iam.ServicePrincipal("iot.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": this.account } },
      }),
      description: "IoT Core's own log",
    });
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:PutRetentionPolicy"],
        resources: [
          this.formatArn({
            service: "logs",
            resource: "log-group",
            resourceName: "AWSIotLogsV2:*",
            arnFormat: ArnFormat.COLON_RESOURCE_NAME,
          }),
        ],
      }),
    );
    acknowledgeWildcards(role, { ":AWSIotLogsV2:*": "IoT Core names its log group and streams itself" });
    const logging = new iot.CfnLogging(this, "Logging", {
      accountId: this.account,
      defaultLogLevel: "ERROR",
      roleArn: role.roleArn,
    });
    logging.node.addDependency(role);
    const call: cr.AwsSdkCall = {
      service: "Iot",
      action: "updateIndexingConfiguration",
      parameters: {
        thingIndexingConfiguration: { thingIndexingMode: "REGISTRY", thingConnectivityIndexingMode: "STATUS" },
        thingGroupIndexingConfiguration: { thingGroupIndexingMode: "ON" },
      },
      physicalResourceId: cr.PhysicalResourceId.of("iot-fleet-indexing"),
    };
    this.#ask("FleetIndexing", "Custom::IotFleetIndexing", call, "iot:UpdateIndexingConfiguration");
  }

  /** One call of an IoT API that has neither a CloudFormation resource nor an ARN to be limited to. */
  #ask(id: string, resourceType: string, call: cr.AwsSdkCall, action: string): cr.AwsCustomResource {
    this.#lookupLogs ??= new logs.LogGroup(this, "LookupLogs", {
      logGroupName: logGroupName(this.config, "function/iot-lookups"),
      encryptionKey: this.#key,
      retention: this.config.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const resource = new cr.AwsCustomResource(this, id, {
      onCreate: call,
      onUpdate: call,
      logGroup: this.#lookupLogs,
      installLatestAwsSdk: false,
      resourceType,
      timeout: Duration.minutes(2),
      policy: cr.AwsCustomResourcePolicy.fromStatements([
        new iam.PolicyStatement({ actions: [action], resources: ["*"] }),
      ]),
    });
    acknowledgeWildcards(resource, { "*": `${action} takes no resource` });
    return resource;
  }

  /**
   * The bridge, as so many services of one task each: a member of the MQTT group has client ids of its own that outlive
   * its tasks (its session holds what arrives meanwhile), and IoT Core disconnects the older of two clients of one id.
   */
  #bridges({ network, security, streaming, processing }: IngestionNeeds): StreamService[] {
    const { config } = this;
    const endpoint = this.#ask(
      "Endpoint",
      "Custom::IotEndpoint",
      {
        service: "Iot",
        action: "describeEndpoint",
        parameters: { endpointType: "iot:Data-ATS" },
        outputPaths: ["endpointAddress"],
        physicalResourceId: cr.PhysicalResourceId.of("iot-endpoint"),
      },
      "iot:DescribeEndpoint",
    ).getResponseField("endpointAddress");
    new CfnOutput(this, "IotEndpoint", { value: endpoint, description: "MQTT endpoint of the devices" });
    return Array.from({ length: config.bridge.tasks }, (_, index) => {
      const clientId = resourceName(config, `bridge-${index}`);
      const service = new StreamService(this, {
        name: `bridge-${index}`,
        program: "bridge",
        cluster: processing.cluster,
        desiredCount: 1,
        cpu: 1024,
        memoryMiB: 2048,
        key: security.keys.operations,
        subnets: network.outboundSubnets,
        securityGroup: network.securityGroups.bridge,
        assignPublicIp: config.network.natGateways === 0,
        deployment: "restart",
        environment: writeSettings("bridge", {
          environment: config.name,
          region: Aws.REGION,
          kafkaBrokers: streaming.cluster.bootstrapBrokers,
          kafkaAuth: "iam",
          mqttUrl: `wss://${endpoint}`,
          mqttClients: config.bridge.connectionsPerTask,
          mqttClientId: clientId,
          healthPort: HEALTH_PORT,
        }),
      });
      streaming.cluster.grantWrite(service, [topics.imuData.name, topics.deadLetter.name]);
      const arn = (resource: string): string => this.formatArn({ service: "iot", resource });
      service.taskRole.addToPolicy(
        new iam.PolicyStatement({ actions: ["iot:Connect"], resources: [arn(`client/${clientId}-*`)] }),
      );
      service.taskRole.addToPolicy(
        new iam.PolicyStatement({
          actions: ["iot:Subscribe"],
          resources: [arn(`topicfilter/$share/${MQTT_SHARE_GROUP}/${MQTT_SUBSCRIPTION}`)],
        }),
      );
      service.taskRole.addToPolicy(
        new iam.PolicyStatement({ actions: ["iot:Receive"], resources: [arn("topic/imu/*")] }),
      );
      acknowledgeWildcards(service, {
        [`${clientId}-*`]: "its client ids end in the number of the connection",
        ":topic/imu/*": "it receives from every sensor's topic: that is what it is for",
      });
      return service;
    });
  }
}
