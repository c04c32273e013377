import { CreateTableCommand, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { dynamoAttributes } from "../../domain/names.ts";
import { sharedServers, uniqueName } from "../support/servers.ts";
import { startFunction, type FunctionProcess } from "./function-process.ts";

const table = uniqueName("devices");
const { dynamodbEndpoint } = sharedServers();
const client = new DynamoDBClient({
  region: "us-east-1",
  endpoint: dynamodbEndpoint,
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
});
let hooks: FunctionProcess[] = [];

beforeAll(async () => {
  const { key } = dynamoAttributes.devices;
  await client.send(
    new CreateTableCommand({
      TableName: table,
      KeySchema: [{ AttributeName: key, KeyType: "HASH" }],
      AttributeDefinitions: [{ AttributeName: key, AttributeType: "S" }],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  hooks = [0, 1].map(() =>
    startFunction("admit-device", { DYNAMODB_ENDPOINT: dynamodbEndpoint, DEVICES_TABLE: table }),
  );
});
afterAll(async () => {
  await Promise.all(hooks.map((hook) => hook.stop()));
  client.destroy();
});

// https://docs.aws.amazon.com/iot/latest/developerguide/pre-provisioning-hook.html
test("a serial number gets one certificate, however many devices show it at once", async () => {
  await client.send(
    new PutItemCommand({ TableName: table, Item: { serialNumber: { S: "sn-1" }, sensorId: { S: "s01-sw" } } }),
  );
  const event = { parameters: { SerialNumber: "sn-1" } };
  const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => hooks[n % 2]!.invoke(event)));
  expect(answers.filter(({ allowProvisioning }) => allowProvisioning)).toEqual([
    { allowProvisioning: true, parameterOverrides: { SerialNumber: "s01-sw" } },
  ]);
  expect(await hooks[0]!.invoke(event)).toEqual({ allowProvisioning: false });
});
