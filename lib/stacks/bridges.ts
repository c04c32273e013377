import { Aws, CfnOutput, custom_resources as cr } from "aws-cdk-lib";
import { runningPipelines } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { MQTT_SUBSCRIPTION, mqttTopic, rejectedTopic } from "../../domain/imu.ts";
import { consumerGroups } from "../../domain/names.ts";
import { topics } from "../../domain/topics.ts";
import { callIot } from "../constructs/iot-call.ts";
import type { MillraceStack } from "../constructs/millrace-stack.ts";
import { resourceName } from "../names.ts";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import type { ContainerService } from "../reusable/container-service.ts";
import { allow } from "../reusable/grants.ts";
import type { NetworkStack } from "./network.ts";
import type { ProcessingStack } from "./processing.ts";
import { HEALTH_PORT, programService } from "./programs.ts";
import type { SecurityStack } from "./security.ts";
import type { StreamingStack } from "./streaming.ts";

export interface BridgeNeeds {
  readonly network: NetworkStack;
  readonly security: SecurityStack;
  readonly streaming: StreamingStack;
  readonly processing: ProcessingStack;
}

/**
 * The bridge: one service of one task for each of `bridge.tasks`. A member of the MQTT group has client ids of its own
 * that outlive its tasks, because its session holds what it had not acknowledged when it was killed. IoT Core
 * disconnects the older of two clients with one id, so no second task may run beside the first.
 *
 * Only the first connection of the first bridge stays in the group while its task is stopped: as long as one persistent
 * session is a member, IoT Core keeps what nobody is there to take. All others leave whenever their task stops, so
 * `bridge.tasks` and `connectionsPerTask` can be lowered at any time: nobody's session stays behind with messages.
 */
export function bridges(stack: MillraceStack, needs: BridgeNeeds): ContainerService[] {
  const endpoint = callIot(stack, needs.security.keys.operations, {
    id: "Endpoint",
    resourceType: "Custom::IotEndpoint",
    permission: "iot:DescribeEndpoint",
    call: {
      service: "Iot",
      action: "describeEndpoint",
      parameters: { endpointType: "iot:Data-ATS" },
      outputPaths: ["endpointAddress"],
      physicalResourceId: cr.PhysicalResourceId.of("iot-endpoint"),
    },
  }).getResponseField("endpointAddress");
  new CfnOutput(stack, "IotEndpoint", { value: endpoint, description: "MQTT endpoint of the devices" });
  return Array.from({ length: stack.config.bridge.tasks }, (_, index) => bridge(stack, index, endpoint, needs));
}

/** The environment's group: bridges of one group take messages from each other. */
function shareGroup(config: Environment): string {
  return resourceName(config, "bridge");
}

function bridge(
  stack: MillraceStack,
  index: number,
  endpoint: string,
  { network, security, streaming, processing }: BridgeNeeds,
): ContainerService {
  const { config } = stack;
  const clientId = resourceName(config, `bridge-${index}`);
  const ticked = runningPipelines(config).filter((pipeline) => pipeline.ticked);
  const service = programService(stack, {
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
      metricsLog: "emf",
      region: Aws.REGION,
      kafkaBrokers: streaming.cluster.bootstrapBrokers,
      kafkaAuth: "iam",
      mqttUrl: `wss://${endpoint}`,
      mqttClients: config.bridge.connectionsPerTask,
      mqttClientId: clientId,
      mqttSessionsKept: index === 0 ? 1 : 0,
      mqttPrefix: config.mqttPrefix ?? undefined,
      mqttShareGroup: shareGroup(config),
      pipelines: ticked.map(({ name }) => name),
      healthPort: HEALTH_PORT,
    }),
  });
  const written = new Set([
    topics.imuData.name,
    ...ticked.map(({ input }) => topics[input].name),
    topics.deadLetter.name,
  ]);
  streaming.cluster.grantWrite(service, [...written]);
  streaming.cluster.grantRead(service, [topics.deadLetter.name], [consumerGroups.rejectedNotices]);
  allowMqtt(stack, service, clientId);
  return service;
}

/**
 * The bridge connects with its own client ids, receives through the shared subscription, and says to each device that a
 * message was refused.
 */
function allowMqtt(stack: MillraceStack, service: ContainerService, clientId: string): void {
  const arn = (resource: string): string => stack.formatArn({ service: "iot", resource });
  allow(service, ["iot:Connect"], [arn(`client/${clientId}-*`)]);
  const { config } = stack;
  const topic = (filter: string): string => mqttTopic(config.mqttPrefix, filter);
  allow(service, ["iot:Subscribe"], [arn(`topicfilter/$share/${shareGroup(config)}/${topic(MQTT_SUBSCRIPTION)}`)]);
  allow(service, ["iot:Receive"], [arn(`topic/${topic("imu/*")}`)]);
  allow(service, ["iot:Publish"], [arn(`topic/${topic(rejectedTopic("*"))}`)]);
  acknowledgeWildcards(service, {
    [`:topic/${topic(rejectedTopic("*"))}`]: "it notifies every sensor of its own refused messages",
    [`${clientId}-*`]: "its client ids end in what the connection is for",
    [`:topic/${topic("imu/*")}`]: "it receives from every sensor's topic",
  });
}
