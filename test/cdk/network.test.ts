import { beforeAll, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { environments, resourcesOf, synthesised, type Synthesised } from "./synthesised.ts";

// Whether each program in the VPC reaches the services that it has rights in: by an endpoint, or else by NAT or by a
// public address. https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html

const LIMIT_MS = 300_000;

/** How a service is reached, by the prefix of its actions. */
const ways = {
  // The cluster is in the VPC.
  "kafka-cluster": { inside: true },
  dynamodb: { gateways: ["dynamodb"] },
  s3: { gateways: ["s3"] },
  // Images come from ECR, and their layers from S3:
  // https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
  ecr: { endpoints: ["ecr.api", "ecr.dkr"], gateways: ["s3"] },
  logs: { endpoints: ["logs"] },
  secretsmanager: { endpoints: ["secretsmanager"] },
  // PutRecord and GetRecord alone.
  sagemaker: { endpoints: ["sagemaker.featurestore-runtime"] },
  // What no endpoint is made for, because an operator's command alone needs it.
  athena: { outside: true },
  glue: { outside: true },
  // https://docs.aws.amazon.com/iot/latest/developerguide/IoTCore-VPC.html: the data endpoint has one only with names of
  // its own.
  iot: { outside: true },
  // https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-apis.html: of REST APIs alone.
  "execute-api": { outside: true },
} as const;
type Way = {
  readonly inside?: true;
  readonly outside?: true;
  readonly endpoints?: readonly string[];
  readonly gateways?: readonly string[];
};

/**
 * What Lambda itself does with a function's role, from outside of the VPC or from the cluster's subnets: logs, traces,
 * network interfaces, polling, and failures.
 */
const doneByLambda = ["logs", "xray", "ec2", "kafka", "sqs"];

interface Statement {
  readonly Action: string | readonly string[];
  readonly Condition?: { readonly StringEquals?: Readonly<Record<string, unknown>> };
}
interface Program {
  readonly name: string;
  readonly roles: readonly string[];
  readonly subnets: string;
  readonly group: string;
  readonly publicAddress: boolean;
  readonly isFunction: boolean;
}

describe.each(environments)("the network of %s", (env) => {
  let platform: Synthesised;
  const config = environment(env);
  beforeAll(async () => {
    platform = await synthesised(env);
  }, LIMIT_MS);
  const all = (...types: string[]): ReturnType<typeof resourcesOf> => resourcesOf(platform, ...types);
  const groupOf = (reference: unknown): string =>
    /Group([a-z]+)[0-9A-F]{8}/.exec(JSON.stringify(reference))?.[1] ?? "none";
  const roleOf = (reference: unknown): string => (reference as { "Fn::GetAtt": [string] })["Fn::GetAtt"][0];

  function programs(): Program[] {
    const functions = all("AWS::Lambda::Function")
      .filter(({ id, resource }) => id.startsWith("Function") && resource.Properties["VpcConfig"] !== undefined)
      .map(({ stack, id, resource: { Properties } }) => {
        const vpc = Properties["VpcConfig"] as { SubnetIds: unknown; SecurityGroupIds: unknown };
        return {
          name: `${stack}/${id}`,
          roles: [`${stack}/${roleOf(Properties["Role"])}`],
          subnets: JSON.stringify(vpc.SubnetIds),
          group: groupOf(vpc.SecurityGroupIds),
          publicAddress: false,
          isFunction: true,
        };
      });
    const services = all("AWS::ECS::Service").map(({ stack, id, resource: { Properties } }) => {
      const vpc = (Properties["NetworkConfiguration"] as { AwsvpcConfiguration: Record<string, unknown> })
        .AwsvpcConfiguration;
      const task =
        platform.templates[stack]!.Resources[(Properties["TaskDefinition"] as { Ref: string }).Ref]!.Properties;
      return {
        name: `${stack}/${id}`,
        roles: ["TaskRoleArn", "ExecutionRoleArn"].map((role) => `${stack}/${roleOf(task[role])}`),
        subnets: JSON.stringify(vpc["Subnets"]),
        group: groupOf(vpc["SecurityGroups"]),
        publicAddress: vpc["AssignPublicIp"] === "ENABLED",
        isFunction: false,
      };
    });
    // `npm run on-aws` starts it in the subnets of live, with the security group of a processor (lib/on-aws).
    const live = services.find(({ name }) => name.includes("Servicelive"))!;
    const processor = services.find(({ name }) => name.includes("Serviceprocessor"))!;
    const [ops] = all("AWS::ECS::TaskDefinition").filter(({ stack }) => stack === "operations");
    const roles = ["TaskRoleArn", "ExecutionRoleArn"].map(
      (role) => `operations/${roleOf(ops!.resource.Properties[role])}`,
    );
    return [...functions, ...services, { ...live, name: "operations/Task", group: processor.group, roles }];
  }

  /** Prefixes of the actions of some roles, without the use of keys on behalf of other services. */
  function servicesOf({ roles, isFunction }: Program): string[] {
    // What does not fit into a role's own policy the CDK puts into a managed one.
    const statements = all("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
      .filter(({ stack, resource }) =>
        ((resource.Properties["Roles"] ?? []) as { Ref: string }[]).some(({ Ref }) =>
          roles.includes(`${stack}/${Ref}`),
        ),
      )
      .flatMap(({ resource }) => (resource.Properties["PolicyDocument"] as { Statement: Statement[] }).Statement);
    const prefixes = statements.flatMap(({ Action, Condition }) =>
      [Action]
        .flat()
        .map((action) => action.split(":")[0]!)
        .filter((prefix) => prefix !== "kms" || Condition?.StringEquals?.["kms:ViaService"] === undefined),
    );
    return [...new Set(prefixes)].filter((prefix) => !isFunction || !doneByLambda.includes(prefix));
  }

  test("lets each program reach every service that it has rights in", () => {
    const endpoints = all("AWS::EC2::VPCEndpoint").map(({ resource: { Properties } }) => ({
      // `com.amazonaws.<region>.<service>`, with the region as text or as a reference.
      service: JSON.stringify(Properties["ServiceName"])
        .replace(/^.*(us-east-1|"AWS::Region"\},")\./, "")
        .replace(/"[\]}]*$/, ""),
      type: Properties["VpcEndpointType"],
    }));
    const has = (type: string, service: string): boolean =>
      endpoints.some((endpoint) => endpoint.type === type && endpoint.service === service);
    const egress = (from: string, to: string): boolean =>
      all("AWS::EC2::SecurityGroupEgress").some(
        ({ resource: { Properties } }) =>
          Properties["FromPort"] === 443 &&
          groupOf(Properties["GroupId"]) === from &&
          groupOf(Properties["DestinationSecurityGroupId"]) === to,
      );
    const leaves = (group: string): boolean =>
      all("AWS::EC2::SecurityGroup").some(
        ({ id, resource }) =>
          id.startsWith(`Group${group}`) &&
          JSON.stringify(resource.Properties["SecurityGroupEgress"] ?? []).includes('"CidrIp":"0.0.0.0/0"'),
      );
    const nat = config.network.natGateways > 0;
    const found = programs();
    expect(found.length).toBeGreaterThan(10);
    const problems = found.flatMap((program) => {
      const { name, group, subnets, publicAddress } = program;
      return servicesOf(program).flatMap((service) => {
        const way = ways[service as keyof typeof ways] as Way | undefined;
        if (way === undefined) return [`${name}: nobody has said how ${service} is reached`];
        return [
          ...(way.endpoints ?? [])
            .filter((endpoint) => !has("Interface", endpoint) || !egress(group, "endpoints"))
            .map((endpoint) => `${name}: no way to the endpoint of ${endpoint}`),
          ...(way.gateways ?? [])
            .filter((gateway) => !has("Gateway", gateway) || !leaves(group))
            .map((gateway) => `${name}: no way to ${gateway}`),
          ...(way.outside && (!leaves(group) || !(nat || (publicAddress && subnets.includes("public"))))
            ? [`${name}: no way out of the VPC to ${service}`]
            : []),
        ];
      });
    });
    expect(problems).toEqual([]);
  });
});
