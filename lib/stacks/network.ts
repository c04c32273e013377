import { aws_ec2 as ec2, aws_iam as iam, type aws_kms as kms, CfnOutput } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { placeOf } from "../../config/rules/deployed.ts";
import type { Environment } from "../../config/schema.ts";
import type { PipelineName } from "../../domain/pipelines.ts";
import { logGroup } from "../constructs/log-group.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { DEPLOYED_OUTPUT, resourceName } from "../names.ts";
import type { SecurityStack } from "./security.ts";

/** Who talks inside the VPC. Each member has a security group. */
const members = {
  kafka: "brokers of MSK Serverless, and the pollers of the event source mappings",
  documents: "DocumentDB",
  endpoints: "interface endpoints",
  bridge: "bridge service",
  processor: "processor services",
  live: "live service",
  topics: "function that creates the topics, and the ones that test Kafka",
  rest: "REST functions",
  store: "functions that store sessions and windows",
  operators: "functions of the API of operators, and who operates from inside the VPC",
  trades: "function that appends trades to Kafka",
  rotation: "function that rotates the password of the database",
} as const;
export type Member = keyof typeof members;

/** Members that are there only where their pipeline runs. */
const memberPipelines: Partial<Record<Member, PipelineName>> = { trades: "market" };

/** Which members may open connections to which, and on what port. Every other connection is refused. */
const connections: readonly {
  readonly from: readonly Member[];
  readonly to: Member;
  readonly port: number;
  readonly what: string;
}[] = [
  {
    from: ["bridge", "processor", "live", "topics", "rest", "operators", "trades", "kafka"],
    to: "kafka",
    port: 9098,
    what: "Kafka with IAM",
  },
  { from: ["rest", "store", "rotation", "processor"], to: "documents", port: 27_017, what: "MongoDB wire protocol" },
  {
    from: ["bridge", "processor", "live", "topics", "rest", "store", "operators", "rotation", "kafka"],
    to: "endpoints",
    port: 443,
    what: "AWS APIs",
  },
];

/**
 * Members that also reach addresses outside of the VPC, on port 443: AWS endpoints that have no private one, and S3 and
 * DynamoDB through gateway endpoints.
 */
const outside: Partial<Record<Member, string>> = {
  bridge: "IoT Core's MQTT endpoint, ECR layers in S3",
  live: "the WebSocket API's @connections endpoint, DynamoDB, ECR layers in S3",
  processor: "DynamoDB, model files, the lake and ECR layers in S3",
  topics: "the answer to CloudFormation, in S3",
  rest: "DynamoDB",
  operators: "model files in S3",
};

/** AWS APIs that programs call from inside the VPC, and that have a private endpoint. */
const interfaceEndpoints = {
  EcrApi: ec2.InterfaceVpcEndpointAwsService.ECR,
  EcrDocker: ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
  Logs: ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
  SecretsManager: ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
  Lambda: ec2.InterfaceVpcEndpointAwsService.LAMBDA,
  Sts: ec2.InterfaceVpcEndpointAwsService.STS,
  // Where event source mappings send the offsets of what a function could not handle, from the cluster's subnets.
  Sqs: ec2.InterfaceVpcEndpointAwsService.SQS,
  FeatureStore: ec2.InterfaceVpcEndpointAwsService.SAGEMAKER_FEATURESTORE_RUNTIME,
} as const;

/** VPC, subnets, endpoints, flow logs and every security group with its rules. */
export class NetworkStack extends MillraceStack {
  readonly vpc: ec2.IVpc;
  /** By member. Members of a pipeline that does not run, or of an API that is not there, have none. */
  readonly securityGroups: Readonly<Record<Member, ec2.SecurityGroup>>;
  /** Where most members run. They reach endpoints alone, and the internet by NAT where the config has one. */
  readonly privateSubnets: ec2.SubnetSelection;
  /**
   * For the two services that need the internet: private subnets behind NAT where the config has one, else public ones.
   * There the services have an address, and their security groups let nobody in.
   */
  readonly outboundSubnets: ec2.SubnetSelection;

  constructor(scope: Construct, id: string, config: Environment, { keys }: Pick<SecurityStack, "keys">) {
    super(scope, id, { config, stateful: true, description: "VPC, endpoints, security groups, flow logs" });
    const nat = config.network.natGateways > 0;
    const vpc = new ec2.Vpc(this, "Vpc", {
      vpcName: resourceName(config, "vpc"),
      ipAddresses: ec2.IpAddresses.cidr(config.network.cidr),
      availabilityZones: config.zones,
      natGateways: config.network.natGateways,
      restrictDefaultSecurityGroup: true,
      subnetConfiguration: [
        {
          name: "public",
          subnetType: ec2.SubnetType.PUBLIC,
          cidrMask: Number(config.network.cidr.split("/")[1]) + 4,
          mapPublicIpOnLaunch: false,
        },
        {
          name: "private",
          subnetType: nat ? ec2.SubnetType.PRIVATE_WITH_EGRESS : ec2.SubnetType.PRIVATE_ISOLATED,
          cidrMask: Number(config.network.cidr.split("/")[1]) + 3,
        },
      ],
    });
    // The CDK's types were not written for exact optional properties.
    this.vpc = vpc as ec2.IVpc;
    this.privateSubnets = { subnetGroupName: "private" };
    this.outboundSubnets = { subnetGroupName: nat ? "private" : "public" };
    // The CDK knows names of zones, and a name means another zone in each account.
    for (const subnet of vpc.node.findAll().filter((node) => node instanceof ec2.CfnSubnet)) {
      subnet.availabilityZoneId = subnet.availabilityZone;
      subnet.availabilityZone = undefined;
    }
    this.securityGroups = this.#securityGroups();
    this.#endpoints();
    this.#flowLogs(keys.operations);
    new CfnOutput(this, DEPLOYED_OUTPUT, {
      value: JSON.stringify(placeOf(config)),
      description: "what cannot change without losing data",
    });
  }

  #securityGroups(): Record<Member, ec2.SecurityGroup> {
    const isThere = (member: Member): boolean => {
      if (member === "operators") return this.config.operatorsApi;
      const pipeline = memberPipelines[member];
      return pipeline === undefined || this.config.processor[pipeline] !== null;
    };
    const present = (Object.entries(members) as [Member, string][]).filter(([member]) => isThere(member));
    const groups = Object.fromEntries(
      present.map(([member, description]) => [
        member,
        new ec2.SecurityGroup(this, `Group-${member}`, {
          vpc: this.vpc,
          securityGroupName: resourceName(this.config, member),
          description,
          allowAllOutbound: false,
        }),
      ]),
    ) as Record<Member, ec2.SecurityGroup>;
    for (const { from, to, port, what } of connections) {
      for (const member of from.filter(isThere))
        groups[member].connections.allowTo(groups[to], ec2.Port.tcp(port), `${member} to ${to}: ${what}`);
    }
    for (const [member, what] of (Object.entries(outside) as [Member, string][]).filter(([name]) => isThere(name)))
      groups[member].addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443), what);
    return groups;
  }

  #endpoints(): void {
    this.vpc.addGatewayEndpoint("S3", { service: ec2.GatewayVpcEndpointAwsService.S3 });
    this.vpc.addGatewayEndpoint("DynamoDb", { service: ec2.GatewayVpcEndpointAwsService.DYNAMODB });
    for (const [name, service] of Object.entries(interfaceEndpoints)) {
      this.vpc.addInterfaceEndpoint(name, {
        service,
        subnets: this.privateSubnets,
        securityGroups: [this.securityGroups.endpoints],
        open: false,
      });
    }
  }

  #flowLogs(key: kms.IKey): void {
    const log = logGroup(this, "FlowLogGroup", { config: this.config, name: "flow", key });
    const role = new iam.Role(this, "FlowLogRole", {
      assumedBy: new iam.ServicePrincipal("vpc-flow-logs.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": this.account } },
      }),
    });
    this.vpc.addFlowLog("Flow", {
      destination: ec2.FlowLogDestination.toCloudWatchLogs(log, role),
      trafficType: ec2.FlowLogTrafficType.ALL,
    });
  }
}
