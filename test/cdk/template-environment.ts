import { createServer, type AddressInfo } from "node:net";
import { CreateTableCommand, DynamoDBClient, ResourceInUseException } from "@aws-sdk/client-dynamodb";
import { createTopics } from "../../adapters/kafka-topics.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { dynamoAttributes, dynamoTableName } from "../../domain/names.ts";
import { checkTopic, topics } from "../../domain/topics.ts";
import { applyTopics } from "../../lambda/create-topics/apply.ts";
import type { ImageProgram } from "../../lib/images.ts";
import { sharedServers } from "../support/servers.ts";
import { localAddresses, localEndpoints } from "./local-addresses.ts";
import { resourcesOf, type Synthesised } from "./synthesised.ts";

/** An address where nobody listens. Programs must start without it, and answer with an error when they need it. */
const NOBODY = "http://127.0.0.1:9";

/** The container of a task definition of dev, as its template has it. */
export interface TemplateContainer {
  readonly Name: ImageProgram;
  readonly Environment: readonly { readonly Name: string; readonly Value: unknown }[];
  readonly User: string;
  readonly ReadonlyRootFilesystem: boolean;
  readonly HealthCheck: { readonly Command: readonly string[] };
}

/** @throws When dev has no task of this name */
export function containerOf(platform: Synthesised, task: string): TemplateContainer {
  const definition = resourcesOf(platform, "AWS::ECS::TaskDefinition").find(
    ({ resource }) => resource.Properties["Family"] === `millrace-dev-${task}`,
  );
  const [container] = (definition?.resource.Properties["ContainerDefinitions"] ?? []) as TemplateContainer[];
  if (!container) throw new Error(`dev has no task ${task}`);
  return container;
}

/**
 * The variables of a template on this machine: texts as they are, references to a table by its name, addresses by the
 * map.
 */
export function variablesHere(
  platform: Synthesised,
  variables: Readonly<Record<string, unknown>>,
): Record<string, string> {
  const servers = sharedServers();
  const endpoints = { firehose: NOBODY, features: NOBODY, websocket: NOBODY };
  const addresses = localAddresses(servers, endpoints);
  const resolved: Record<string, string> = { ...localEndpoints(servers, endpoints), PATH: process.env["PATH"] ?? "" };
  for (const [name, value] of Object.entries(variables)) {
    if (name in addresses) {
      const address = addresses[name];
      if (address !== undefined) resolved[name] = address;
      else delete resolved[name];
    } else if (typeof value === "string") resolved[name] = value;
    else resolved[name] = referenced(platform, name, value);
  }
  return resolved;
}

function referenced(platform: Synthesised, variable: string, value: unknown): string {
  const text = JSON.stringify(value);
  if (text === '{"Ref":"AWS::Region"}') return "us-east-1";
  for (const { id, resource } of resourcesOf(platform, "AWS::DynamoDB::Table"))
    if (text.includes(id)) return String(resource.Properties["TableName"]);
  throw new Error(`${variable} is ${text}: say in local-addresses.ts what it is on this machine`);
}

export function freePort(): Promise<number> {
  return new Promise((done, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });
}

/** Makes the tables and topics of dev on the local servers. */
export async function prepareServers(): Promise<void> {
  const servers = sharedServers();
  const dynamodb = new DynamoDBClient({
    region: "us-east-1",
    endpoint: servers.dynamodbEndpoint,
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  for (const [table, { key }] of Object.entries(dynamoAttributes)) {
    await dynamodb
      .send(
        new CreateTableCommand({
          TableName: dynamoTableName("dev", table as keyof typeof dynamoAttributes),
          BillingMode: "PAY_PER_REQUEST",
          AttributeDefinitions: [{ AttributeName: key, AttributeType: "S" }],
          KeySchema: [{ AttributeName: key, KeyType: "HASH" }],
        }),
      )
      .catch((error: unknown) => {
        if (!(error instanceof ResourceInUseException)) throw error;
      });
  }
  const kafka = createKafka(
    { kafkaBrokers: servers.kafkaBrokers, kafkaAuth: "none", region: "us-east-1" },
    "entry-points",
  );
  const admin = kafka.admin();
  await admin.connect();
  const specs = [...Object.values(topics), checkTopic];
  await createTopics(admin, { specs });
  // Topics that other tests made may have fewer partitions, which stay.
  await applyTopics(
    kafka,
    admin,
    specs.map((spec) => ({ ...spec, retentionMs: -1, partitions: 1 })),
  );
  await admin.disconnect();
}
