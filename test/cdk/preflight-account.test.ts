import { spawn, type ChildProcess } from "node:child_process";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { CloudFormationClient, CreateStackCommand, DeleteStackCommand } from "@aws-sdk/client-cloudformation";
import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { AllocateAddressCommand, EC2Client } from "@aws-sdk/client-ec2";
import { CreateEventBusCommand, EventBridgeClient } from "@aws-sdk/client-eventbridge";
import { CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { readFacts } from "../../lib/preflight/facts.ts";
import { missing } from "../../lib/preflight/preflight.ts";
import { listen } from "../../local/aws/listen.ts";
import { pickFreePorts } from "../../local/processes/ports.ts";
import { eventually } from "../support/eventually.ts";
import { pythonTools } from "./python.ts";
import { synthesised } from "./synthesised.ts";

jest.setTimeout(180_000);

const bin = pythonTools();
const prod = environment("prod");
const region = prod.region;
const variables = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret", AWS_ENDPOINT_URL: "" };

/** Answers that moto has not, as the API references have them. */
interface Recorded {
  status: number;
  readonly body: object;
}
let moto: ChildProcess;
let front: Server;
/** By the quota's code. https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html */
const quotas: Record<string, number> = { "L-3032A538": 6, "L-0263D0A3": 5 };
const featureGroups: string[] = [];
/** https://docs.aws.amazon.com/iot/latest/apireference/API_GetV2LoggingOptions.html */
let iotLog: Recorded;
/** https://docs.aws.amazon.com/apigateway/latest/api/API_GetAccount.html */
let apiAccount: object;
/** Services that refuse every call. */
const refusing = new Set<string>();

function recordedAnswer({ headers, url }: IncomingMessage, body: string): Recorded | undefined {
  const service = /Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//.exec(headers.authorization ?? "")?.[1] ?? "";
  if (refusing.has(service)) return { status: 403, body: { __type: "AccessDeniedException", message: "not allowed" } };
  if (service === "servicequotas") {
    const { QuotaCode } = JSON.parse(body) as { QuotaCode: string };
    return quotas[QuotaCode] === undefined
      ? undefined
      : { status: 200, body: { Quota: { QuotaCode, Value: quotas[QuotaCode] } } };
  }
  if (url === "/v2LoggingOptions") return iotLog;
  // https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListFeatureGroups.html
  if (headers["x-amz-target"] === "SageMaker.ListFeatureGroups")
    return { status: 200, body: { FeatureGroupSummaries: featureGroups.map((name) => ({ FeatureGroupName: name })) } };
  // https://docs.aws.amazon.com/lambda/latest/api/API_GetAccountSettings.html
  if (url === "/2016-08-19/account-settings")
    return { status: 200, body: { AccountLimit: { ConcurrentExecutions: 1_000 } } };
  return url === "/account" ? { status: 200, body: apiAccount } : undefined;
}

async function answer(incoming: IncomingMessage, outgoing: ServerResponse, port: number): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const recorded = recordedAnswer(incoming, body.toString());
  if (recorded) {
    const type = (recorded.body as { __type?: string }).__type;
    outgoing.writeHead(recorded.status, {
      "content-type": "application/json",
      ...(type === undefined ? {} : { "x-amzn-errortype": type }),
    });
    outgoing.end(JSON.stringify(recorded.body));
    return;
  }
  const { method, headers, url } = incoming;
  const onward = request({ host: "127.0.0.1", port, method, path: url, headers }, (response) => {
    outgoing.writeHead(response.statusCode!, response.headers);
    response.pipe(outgoing);
  });
  onward.once("error", () => outgoing.destroy());
  onward.end(body);
}

beforeAll(async () => {
  if (bin === undefined) return;
  const [port] = await pickFreePorts(1);
  moto = spawn(join(bin, "python"), ["-m", "moto.server", "-p", String(port)], {
    env: { ...process.env, MOTO_IAM_LOAD_MANAGED_POLICIES: "false" },
    stdio: "ignore",
  });
  front = createServer((incoming, outgoing) => void answer(incoming, outgoing, port!));
  variables.AWS_ENDPOINT_URL = `http://127.0.0.1:${await listen(front, 0)}`;
  Object.assign(process.env, variables);
  await eventually(async () => expect((await fetch(`http://127.0.0.1:${port}/moto-api/`)).ok).toBe(true), {
    limitMs: 120_000,
  });
});
afterAll(() => {
  for (const name of Object.keys(variables)) delete process.env[name];
  moto?.kill("SIGKILL");
  front?.closeAllConnections();
  front?.close();
});

const here = bin === undefined ? test.skip : test;

here("an empty account lacks everything, and all of it is said at once", async () => {
  iotLog = { status: 404, body: { __type: "NotConfiguredException", message: "none" } };
  apiAccount = {};
  const { facts, unread } = await readFacts({ ...prod, zones: ["use1-az4", "use1-az9"], ownsAccountSettings: false });
  expect(unread).toEqual([]);
  expect(facts).toMatchObject({
    bootstrapVersion: null,
    account: null,
    deployed: null,
    tables: [],
    buckets: [],
    featureGroups: [],
    replicaVersioned: null,
    addresses: 0,
  });
  const service = { ServiceName: "millrace-prod-bridge-0", NetworkConfiguration: {} };
  const templates = [
    { Type: "AWS::ECS::Cluster" },
    { Type: "AWS::ECS::Service", Properties: { ...service, DesiredCount: 9 } },
    { Type: "AWS::ECS::TaskDefinition", Properties: { Family: "millrace-prod-bridge-0", Cpu: "1024", Memory: "2048" } },
  ];
  const config = { ...prod, zones: ["use1-az4", "use1-az9"], ownsAccountSettings: false };
  expect(missing(config, templates, facts)).toEqual([
    expect.stringContaining("is not bootstrapped"),
    expect.stringContaining("millrace-prod-lake-replica is not there"),
    expect.stringContaining("the zone use1-az9 is not available"),
    expect.stringContaining('the quota "Fargate On-Demand vCPU resource count" is 6, and 10 are needed'),
    expect.stringContaining("the service-linked role AWSServiceRoleForECS, which AWS::ECS::Cluster needs"),
    expect.stringContaining("API Gateway's role for logs, which stages with logs need, is not set"),
    expect.stringContaining("IoT Core's log, without which it refuses the level of a group, is not set"),
  ]);
});

here("an account that is ready lacks nothing, and names that a former deployment has kept are found", async () => {
  const role = (of: string): string => `arn:aws:iam::123456789012:role/millrace-prod-${of}`;
  iotLog = { status: 200, body: { roleArn: role("iot"), defaultLogLevel: "WARN" } };
  apiAccount = { cloudwatchRoleArn: role("api") };
  Object.assign(quotas, { "L-3032A538": 100 });
  const bootstrap = {
    Resources: { Topic: { Type: "AWS::SNS::Topic" } },
    Outputs: { BootstrapVersion: { Value: "21" } },
  };
  // What the stack network of prod's templates puts out.
  const { Outputs } = (await synthesised("prod")).templates["network"]!;
  const network = { Resources: bootstrap.Resources, Outputs: { Deployed: { Value: Outputs!["Deployed"]!.Value } } };
  for (const [StackName, template] of [
    ["CDKToolkit", bootstrap],
    ["millrace-prod-network", network],
  ] as const)
    await new CloudFormationClient({ region }).send(
      new CreateStackCommand({ StackName, TemplateBody: JSON.stringify(template) }),
    );
  // moto gives service-linked roles other names than AWS.
  await new IAMClient({ region }).send(
    new CreateRoleCommand({
      RoleName: "AWSServiceRoleForECS",
      Path: "/aws-service-role/ecs.amazonaws.com/",
      AssumeRolePolicyDocument: "{}",
    }),
  );
  const replica = prod.lake.replica!;
  const s3 = new S3Client({ region: replica.keyArn.split(":")[3]! });
  const Bucket = replica.bucketArn.split(":::")[1]!;
  await s3.send(
    new CreateBucketCommand({
      Bucket,
      CreateBucketConfiguration: { LocationConstraint: replica.keyArn.split(":")[3]! as "us-west-2" },
    }),
  );
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
  const { facts, unread } = await readFacts(prod);
  expect(unread).toEqual([]);
  const { name, zones, network: place, mqttPrefix } = prod;
  const deployed = { name, region, zones, cidr: place.cidr, mqttPrefix };
  expect(facts).toMatchObject({
    ...{ bootstrapVersion: 21, replicaVersioned: true, serviceRoles: ["AWSServiceRoleForECS"], deployed },
    ...{ account: "123456789012", iotLogRole: role("iot"), apiLogRole: role("api"), eventBuses: [] },
  });
  const config = { ...prod, account: "123456789012", deployed };
  expect(missing(config, [], facts)).toEqual([]);

  await new DynamoDBClient({ region }).send(
    new CreateTableCommand({
      TableName: "millrace-prod-devices",
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  const ec2 = new EC2Client({ region });
  for (let i = 0; i < 3; i++) await ec2.send(new AllocateAddressCommand({ Domain: "vpc" }));
  featureGroups.push("millrace-prod-sensor-windows-v2");
  await new EventBridgeClient({ region }).send(new CreateEventBusCommand({ Name: "millrace-prod-market" }));
  await new CloudFormationClient({ region }).send(new DeleteStackCommand({ StackName: "millrace-prod-network" }));
  const later = await readFacts(prod);
  const gateways = [1, 2, 3].map(() => ({ Type: "AWS::EC2::NatGateway" }));
  expect(missing(config, gateways, later.facts)).toEqual([
    expect.stringContaining("the table millrace-prod-devices is there"),
    expect.stringContaining("the feature group millrace-prod-sensor-windows-v2 is there"),
    expect.stringContaining("the event bus millrace-prod-market is there"),
    expect.stringContaining('the quota "EC2-VPC Elastic IPs" is 5, and 6 are needed'),
  ]);
});

here("what the caller may not read is named, and the rest is read", async () => {
  for (const service of ["lambda", "servicequotas"]) refusing.add(service);
  const { facts, unread } = await readFacts(prod);
  refusing.clear();
  expect(unread).toEqual([
    expect.stringMatching(/^concurrentExecutions could not be read: AccessDeniedException: not allowed/),
    expect.stringMatching(/^quotas could not be read: AccessDeniedException/),
  ]);
  expect(facts).toMatchObject({ bootstrapVersion: 21, serviceRoles: ["AWSServiceRoleForECS"] });
});
