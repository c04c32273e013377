import { ANY, type AllowedWildcard } from "./allowed-wildcard.ts";

const stacks = ["ingestion"];

/** IoT Core: look-ups, provisioning, logs, the bridge, and the claim policy of new devices. */
export const iotWildcards: readonly AllowedWildcard[] = [
  { stacks, actions: ["iot:DescribeEndpoint"], resource: ANY, reason: "the action takes no resource" },
  { stacks, actions: ["iot:UpdateIndexingConfiguration"], resource: ANY, reason: "the action takes no resource" },
  {
    stacks,
    actions: [
      "iot:CreateThing",
      "iot:DescribeThing",
      "iot:UpdateThing",
      "iot:ListThingPrincipals",
      "iot:AddThingToThingGroup",
    ],
    resource: /:thing\/\*$/,
    reason: "provisioning: a device's thing has no name before it provisions itself",
  },
  {
    stacks,
    actions: [
      "iot:DescribeCertificate",
      "iot:UpdateCertificate",
      "iot:AttachPolicy",
      "iot:AttachThingPrincipal",
      "iot:ListPrincipalThings",
    ],
    resource: /:cert\/\*$/,
    reason: "provisioning: IoT Core makes up a certificate's id when it issues the certificate",
  },
  {
    stacks,
    actions: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:PutRetentionPolicy"],
    resource: /:log-group:AWSIotLogsV2:\*$/,
    reason: "logs: IoT Core names its log group and streams itself",
  },
  {
    stacks,
    actions: ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
    resource: /^<[^>]+>:log-stream:\*$/,
    reason: "logs: IoT Core names its log streams itself, within one log group",
  },
  {
    stacks,
    actions: ["iot:Connect"],
    resource: /:client\/millrace-[a-z]+-bridge-\d+-\*$/,
    reason: "bridge: its client ids end in the number of the connection",
  },
  {
    stacks,
    actions: ["iot:Publish"],
    resource: /:topic\/[a-z]+\/rejected\/\*$/,
    reason: "bridge: it notifies every sensor of its own refused messages",
  },
  {
    stacks,
    actions: ["iot:Receive"],
    resource: /:topic\/[a-z]+\/imu\/\*$/,
    reason: "bridge: it receives from every sensor's topic",
  },
  {
    stacks,
    actions: ["iot:Connect"],
    resource: /:client\/millrace-[a-z]+-claim-\*$/,
    reason: "claim policy: a device has no name before it provisions itself; it makes one up, under a prefix",
  },
  {
    stacks,
    actions: ["iot:Publish", "iot:Receive", "iot:Subscribe"],
    resource: /:topic(filter)?\/\$aws\/certificates\/create(-from-csr)?\/\*$/,
    reason: "claim policy: the reserved topics by which a device asks for its certificate, and their answers",
  },
  {
    stacks,
    actions: ["iot:Publish", "iot:Receive", "iot:Subscribe"],
    resource: /:topic(filter)?\/\$aws\/provisioning-templates\/millrace-[a-z]+-sensor\/provision\/\*$/,
    reason: "claim policy: the reserved topics by which a device registers, and their answers",
  },
];
