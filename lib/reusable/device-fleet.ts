import { aws_iam as iam, aws_iot as iot, type aws_lambda as lambda, CfnOutput, Stack } from "aws-cdk-lib";
import { Construct } from "constructs";
import { acknowledgeWildcards } from "./acknowledge.ts";
import { allow } from "./grants.ts";

export interface DeviceFleetProps {
  /** What the names of type, group, policies and template begin with: `<prefix>-sensor`, `-sensors`, `-claim`. */
  readonly namePrefix: string;
  /**
   * What a device does. A thing type keeps its description for good.
   *
   * @default - the topic that it publishes to
   */
  readonly description?: string;
  /**
   * The pre-provisioning hook. Asked with the parameter `SerialNumber`, it says whether the device is admitted, and may
   * override it with the name of the thing.
   */
  readonly hook: lambda.IFunction;
  /** MQTT topic that the thing of this name may publish to. It is given a policy variable. */
  readonly publishTopic: (thing: string) => string;
  /**
   * MQTT topic that the thing of this name may read.
   *
   * @default - none
   */
  readonly noticeTopic?: (thing: string) => string;
}

/** Names and ARNs. */
interface Names {
  /** `<prefix>-<what>` */
  readonly name: (what: string) => string;
  /** ARN in IoT Core. */
  readonly arn: (resource: string) => string;
}

/** Thing type and group, what a device's certificate may do, and how a device gets its certificate. */
export class DeviceFleet extends Construct {
  readonly thingGroup: iot.CfnThingGroup;

  constructor(scope: Construct, id: string, props: DeviceFleetProps) {
    super(scope, id);
    const { hook } = props;
    const stack = Stack.of(this);
    const names: Names = {
      name: (what) => `${props.namePrefix}-${what}`,
      arn: (resource) => stack.formatArn({ service: "iot", resource }),
    };
    const thingType = new iot.CfnThingType(this, "ThingType", {
      thingTypeName: names.name("sensor"),
      thingTypeProperties: {
        thingTypeDescription: props.description ?? `publishes to ${props.publishTopic("{name}")}`,
      },
    });
    this.thingGroup = new iot.CfnThingGroup(this, "ThingGroup", {
      thingGroupName: names.name("sensors"),
      thingGroupProperties: { thingGroupDescription: "all devices of the fleet" },
    });
    const devicePolicy = new iot.CfnPolicy(this, "DevicePolicy", {
      policyName: names.name("sensor"),
      policyDocument: devicePolicyDocument(names, props),
    });
    const role = this.#provisioningRole(names);
    const template = this.#provisioningTemplate(role, hook, names);
    for (const needed of [devicePolicy, thingType, this.thingGroup]) template.addResourceDependency(needed);
    hook.addPermission("IotCore", {
      principal: new iam.ServicePrincipal("iot.amazonaws.com"),
      sourceAccount: stack.account,
      sourceArn: names.arn(`provisioningtemplate/${names.name("sensor")}`),
    });
    this.#claimPolicy(names);
  }

  #provisioningRole({ name, arn }: Names): iam.Role {
    const role = new iam.Role(this, "ProvisioningRole", {
      assumedBy: new iam.ServicePrincipal("iot.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": Stack.of(this).account } },
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

  #provisioningTemplate(role: iam.Role, hook: lambda.IFunction, { name }: Names): iot.CfnProvisioningTemplate {
    const template = new iot.CfnProvisioningTemplate(this, "ProvisioningTemplate", {
      templateName: name("sensor"),
      description: "a registered device exchanges the claim certificate for its own",
      enabled: true,
      templateType: "FLEET_PROVISIONING",
      provisioningRoleArn: role.roleArn,
      preProvisioningHook: { targetArn: hook.functionArn, payloadVersion: "2020-04-01" },
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

/** A device may connect as itself, publish to its own topic, and read its own notices. */
function devicePolicyDocument(
  { arn }: Names,
  { publishTopic, noticeTopic }: DeviceFleetProps,
): Record<string, unknown> {
  const attached = { Bool: { "iot:Connection.Thing.IsAttached": ["true"] } };
  const allowed = (action: string, resource: string): Record<string, unknown> => ({
    Effect: "Allow",
    Action: [`iot:${action}`],
    Resource: [arn(resource)],
    Condition: attached,
  });
  const client = "${iot:ClientId}";
  return {
    Version: "2012-10-17",
    Statement: [
      allowed("Connect", "client/${iot:Connection.Thing.ThingName}"),
      allowed("Publish", `topic/${publishTopic(client)}`),
      ...(noticeTopic === undefined
        ? []
        : [
            allowed("Subscribe", `topicfilter/${noticeTopic(client)}`),
            allowed("Receive", `topic/${noticeTopic(client)}`),
          ]),
    ],
  };
}

/**
 * A claim certificate may ask for a certificate and register with this fleet's template, and nothing else. It connects
 * under a prefix that no device and no program has: IoT Core ends the connection that has an id already.
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
