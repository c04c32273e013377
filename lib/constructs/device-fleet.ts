import { aws_iam as iam, aws_iot as iot, CfnOutput } from "aws-cdk-lib";
import { Construct } from "constructs";
import { mqttTopic, rejectedTopic } from "../../domain/imu.ts";
import { resourceName } from "../names.ts";
import { acknowledgeWildcards } from "./acknowledge.ts";
import { allow } from "./grants.ts";
import type { MillraceFunction } from "./millrace-function.ts";
import type { MillraceStack } from "./millrace-stack.ts";

/** The names and ARNs of one environment's fleet. */
interface Names {
  /** `millrace-<env>-<what>` */
  readonly name: (what: string) => string;
  /** ARN in IoT Core. */
  readonly arn: (resource: string) => string;
  /** A topic below the environment's prefix. */
  readonly topic: (topic: string) => string;
}

/** Thing type and group, what a device's certificate may do, and how a device gets its certificate. */
export class DeviceFleet extends Construct {
  readonly thingGroup: iot.CfnThingGroup;

  constructor(stack: MillraceStack, hook: MillraceFunction) {
    super(stack, "Fleet");
    const names: Names = {
      name: (what) => resourceName(stack.config, what),
      arn: (resource) => stack.formatArn({ service: "iot", resource }),
      topic: (topic) => mqttTopic(stack.config.mqttPrefix, topic),
    };
    const thingType = new iot.CfnThingType(this, "ThingType", {
      thingTypeName: names.name("sensor"),
      thingTypeProperties: { thingTypeDescription: `publishes motion readings to ${names.topic("imu/{sensorId}")}` },
    });
    this.thingGroup = new iot.CfnThingGroup(this, "ThingGroup", {
      thingGroupName: names.name("sensors"),
      thingGroupProperties: { thingGroupDescription: "all sensors of this environment" },
    });
    const devicePolicy = new iot.CfnPolicy(this, "DevicePolicy", {
      policyName: names.name("sensor"),
      policyDocument: devicePolicyDocument(names),
    });
    const role = this.#provisioningRole(stack, names);
    const template = this.#provisioningTemplate(role, hook, names);
    for (const needed of [devicePolicy, thingType, this.thingGroup]) template.addResourceDependency(needed);
    hook.function.addPermission("IotCore", {
      principal: new iam.ServicePrincipal("iot.amazonaws.com"),
      sourceAccount: stack.account,
      sourceArn: names.arn(`provisioningtemplate/${names.name("sensor")}`),
    });
    this.#claimPolicy(names);
  }

  #provisioningRole(stack: MillraceStack, { name, arn }: Names): iam.Role {
    const role = new iam.Role(this, "ProvisioningRole", {
      assumedBy: new iam.ServicePrincipal("iot.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": stack.account } },
      }),
      description: "registers devices that provision themselves",
    });
    allow(
      role,
      [
        "iot:CreateThing",
        "iot:DescribeThing",
        "iot:UpdateThing",
        "iot:ListThingPrincipals",
        "iot:AddThingToThingGroup",
      ],
      [arn("thing/*")],
    );
    allow(role, ["iot:AddThingToThingGroup", "iot:DescribeThingGroup"], [arn(`thinggroup/${name("sensors")}`)]);
    allow(
      role,
      [
        "iot:DescribeCertificate",
        "iot:UpdateCertificate",
        "iot:AttachPolicy",
        "iot:AttachThingPrincipal",
        "iot:ListPrincipalThings",
      ],
      [arn("cert/*")],
    );
    allow(role, ["iot:DescribeThingType"], [arn(`thingtype/${name("sensor")}`)]);
    acknowledgeWildcards(role, {
      ":thing/*": "a device's thing has no name before it provisions itself; group and type are named",
      ":cert/*": "a certificate's id is made up when the device gets it",
    });
    return role;
  }

  #provisioningTemplate(role: iam.Role, hook: MillraceFunction, { name }: Names): iot.CfnProvisioningTemplate {
    const template = new iot.CfnProvisioningTemplate(this, "ProvisioningTemplate", {
      templateName: name("sensor"),
      description: "a registered device exchanges the claim certificate for its own",
      enabled: true,
      templateType: "FLEET_PROVISIONING",
      provisioningRoleArn: role.roleArn,
      preProvisioningHook: { targetArn: hook.function.functionArn, payloadVersion: "2020-04-01" },
      templateBody: JSON.stringify(provisioningTemplate(name)),
    });
    template.node.addDependency(role);
    return template;
  }

  #claimPolicy({ name, arn }: Names): void {
    const claims = new iot.CfnPolicy(this, "ClaimPolicy", {
      policyName: name("claim"),
      policyDocument: claimPolicyDocument(arn, { templateName: name("sensor"), clientPrefix: name("claim-") }),
    });
    new CfnOutput(this, "ClaimPolicyName", {
      value: claims.ref,
      description: "attach it to the claim certificate that devices are shipped with",
    });
  }
}

/** A device may connect as itself, publish to its own topic, and read why its messages are refused. */
function devicePolicyDocument({ arn, topic }: Names): Record<string, unknown> {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Action: ["iot:Connect"],
        Resource: [arn("client/${iot:Connection.Thing.ThingName}")],
        Condition: { Bool: { "iot:Connection.Thing.IsAttached": ["true"] } },
      },
      {
        Effect: "Allow",
        Action: ["iot:Publish"],
        Resource: [arn(`topic/${topic("imu/${iot:ClientId}")}`)],
        Condition: { Bool: { "iot:Connection.Thing.IsAttached": ["true"] } },
      },
      {
        Effect: "Allow",
        Action: ["iot:Subscribe"],
        Resource: [arn(`topicfilter/${topic(rejectedTopic("${iot:ClientId}"))}`)],
        Condition: { Bool: { "iot:Connection.Thing.IsAttached": ["true"] } },
      },
      {
        Effect: "Allow",
        Action: ["iot:Receive"],
        Resource: [arn(`topic/${topic(rejectedTopic("${iot:ClientId}"))}`)],
        Condition: { Bool: { "iot:Connection.Thing.IsAttached": ["true"] } },
      },
    ],
  };
}

/**
 * A claim certificate may ask for a certificate and register with this environment's template, and nothing else. It
 * connects under a prefix that no device and no program has: IoT Core ends the connection that has an id already.
 */
function claimPolicyDocument(
  arn: (resource: string) => string,
  { templateName, clientPrefix }: { readonly templateName: string; readonly clientPrefix: string },
): Record<string, unknown> {
  const topics = [
    "$aws/certificates/create/*",
    "$aws/certificates/create-from-csr/*",
    `$aws/provisioning-templates/${templateName}/provision/*`,
  ];
  return {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: ["iot:Connect"], Resource: [arn(`client/${clientPrefix}*`)] },
      {
        Effect: "Allow",
        Action: ["iot:Publish", "iot:Receive"],
        Resource: topics.map((topic) => arn(`topic/${topic}`)),
      },
      { Effect: "Allow", Action: ["iot:Subscribe"], Resource: topics.map((topic) => arn(`topicfilter/${topic}`)) },
    ],
  };
}

/** Thing, certificate and policy of a device. The hook replaces the serial number by the sensor's name. */
function provisioningTemplate(name: (what: string) => string): Record<string, unknown> {
  return {
    Parameters: { SerialNumber: { Type: "String" }, "AWS::IoT::Certificate::Id": { Type: "String" } },
    Resources: {
      thing: {
        Type: "AWS::IoT::Thing",
        Properties: {
          ThingName: { Ref: "SerialNumber" },
          ThingTypeName: name("sensor"),
          ThingGroups: [name("sensors")],
          AttributePayload: {},
        },
        OverrideSettings: { AttributePayload: "MERGE", ThingTypeName: "REPLACE", ThingGroups: "DO_NOTHING" },
      },
      certificate: {
        Type: "AWS::IoT::Certificate",
        Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "Active" },
      },
      policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: name("sensor") } },
    },
  };
}
