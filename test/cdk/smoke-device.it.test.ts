import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { CreateTableCommand, DynamoDBClient, GetItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import {
  DescribeThingCommand,
  IoTClient,
  ListAttachedPoliciesCommand,
  ListCertificatesCommand,
  ListThingPrincipalsCommand,
  ListThingsCommand,
} from "@aws-sdk/client-iot";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import mqtt, { type MqttClient } from "mqtt";
import { environment } from "../../config/environments/index.ts";
import { publishReadings } from "../../lib/smoke/device.ts";
import { deviceName, provisionDevice, removeDevice } from "../../lib/smoke/provisioning.ts";
import { eventually } from "../support/eventually.ts";
import { sharedServers, uniqueName } from "../support/servers.ts";
import { IOT_HOST, IotCoreStandIn } from "./iot-core-standin.ts";
import { pythonTools } from "./python.ts";
import { root } from "./synthesised.ts";

const LIMIT_MS = 120_000;
const tools = pythonTools();
const described = tools === undefined ? describe.skip : describe;
const config = environment("dev");
const TABLE = "millrace-dev-devices";
const credentials = { accessKeyId: "id", secretAccessKey: "secret" };

described("a device of the smoke test", () => {
  let standIn: IotCoreStandIn;
  let iot: IoTClient;
  let dynamodb: DynamoDBClient;
  let watcher: MqttClient;
  const heard: { topic: string; type: string | undefined; seq: number; boot: string }[] = [];
  const fleet = () => ({
    config,
    iotEndpoint: { host: IOT_HOST, port: standIn.port, authority: standIn.authority },
    roles: { smoke: () => Promise.resolve(credentials) },
  });
  const before = { ...process.env };

  beforeAll(async () => {
    const { mqttUrl } = sharedServers();
    standIn = new IotCoreStandIn({
      tools: tools!,
      brokerUrl: mqttUrl,
      template: "millrace-dev-sensor",
      policy: "millrace-dev-sensor",
      // The function of the template, on the stand-in's table.
      hook: async (event) => (await import("../../lambda/admit-device/handler.ts")).handler(event),
    });
    await standIn.start();
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: standIn.endpoint,
      AWS_ACCESS_KEY_ID: "id",
      AWS_SECRET_ACCESS_KEY: "secret",
      AWS_REGION: "us-east-1",
      DEVICES_TABLE: TABLE,
      DYNAMODB_ENDPOINT: standIn.endpoint,
    });
    const at = { region: "us-east-1", endpoint: standIn.endpoint, credentials };
    iot = new IoTClient(at);
    dynamodb = new DynamoDBClient(at);
    await dynamodb.send(
      new CreateTableCommand({
        TableName: TABLE,
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: [{ AttributeName: "serialNumber", AttributeType: "S" }],
        KeySchema: [{ AttributeName: "serialNumber", KeyType: "HASH" }],
      }),
    );
    watcher = await mqtt.connectAsync(mqttUrl, { protocolVersion: 5 });
    await watcher.subscribeAsync("dev/imu/#", { qos: 1 });
    watcher.on("message", (topic, payload, { properties }) =>
      heard.push({
        topic,
        type: properties?.contentType,
        ...(JSON.parse(payload.toString()) as { seq: number; boot: string }),
      }),
    );
  }, LIMIT_MS);
  afterEach(() => void heard.splice(0));
  afterAll(async () => {
    process.env = before;
    await watcher?.endAsync();
    iot?.destroy();
    dynamodb?.destroy();
    await standIn?.stop();
  });

  const item = async (serialNumber: string) =>
    (await dynamodb.send(new GetItemCommand({ TableName: TABLE, Key: { serialNumber: { S: serialNumber } } }))).Item;
  /** What IoT Core has of devices. */
  const left = async () => ({
    things: (await iot.send(new ListThingsCommand({}))).things?.length,
    certificates: (await iot.send(new ListCertificatesCommand({}))).certificates?.length,
  });

  test(
    "provisions itself, publishes with its own certificate, and is gone afterwards",
    async () => {
      const name = deviceName(uniqueName("holds"));
      const device = await provisionDevice(fleet(), name);
      expect((await iot.send(new DescribeThingCommand({ thingName: name }))).thingName).toBe(name);
      const { principals = [] } = await iot.send(new ListThingPrincipalsCommand({ thingName: name }));
      const { policies } = await iot.send(new ListAttachedPoliciesCommand({ target: principals[0] }));
      expect(policies?.map(({ policyName }) => policyName)).toEqual(["millrace-dev-sensor"]);
      // The hook has marked the serial number.
      expect(Number((await item(name))?.["usedAt"]?.N)).toBeGreaterThan(1_700_000_000);
      await publishReadings(fleet(), device);
      await eventually(() => expect(heard).toHaveLength(10));
      expect(new Set(heard.map(({ topic, type }) => [topic, type].join()))).toEqual(
        new Set([`dev/imu/${name},application/json`]),
      );
      expect(heard.map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      // A claim connects under the prefix of claims, a device as itself.
      expect(standIn.letIn.slice(-2)).toEqual([`millrace-dev-claim-${name}`, name]);
      await removeDevice(fleet(), name);
      expect(await left()).toEqual({ things: 0, certificates: 0 });
      expect(await item(name)).toBeUndefined();
    },
    LIMIT_MS,
  );

  test(
    "that the hook refuses gets no thing, and IoT Core's words are told",
    async () => {
      const name = deviceName(uniqueName("used"));
      const used = { TableName: TABLE, Key: { serialNumber: { S: name } } };
      const provisioned = provisionDevice(
        {
          ...fleet(),
          roles: {
            // Somebody uses the serial number while the claim is made.
            smoke: async () => {
              const values = { ":now": { N: "1" } };
              const set = { UpdateExpression: "SET usedAt = :now", ExpressionAttributeValues: values };
              if (await item(name)) await dynamodb.send(new UpdateItemCommand({ ...used, ...set }));
              return credentials;
            },
          },
        },
        name,
      );
      await expect(provisioned).rejects.toThrow("RegisterThing: AccessDenied: Pre-provisioning hook denied");
      await removeDevice(fleet(), name);
      await expect(iot.send(new DescribeThingCommand({ thingName: name }))).rejects.toThrow();
      expect(await item(name)).toBeUndefined();
    },
    LIMIT_MS,
  );

  test(
    "does not publish with a certificate that is not its own",
    async () => {
      const name = deviceName(uniqueName("stranger"));
      // A process of its own: aws-crt keeps one alive whose client was refused.
      const program = `
        const { connected } = await import("./lib/smoke/device.ts");
        const connection = connected(...JSON.parse(process.env.GIVEN), () => "let in", 3_000);
        console.log(await connection.catch(({ message }) => message));
        process.exit();`;
      const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
        cwd: root,
        env: { ...process.env, GIVEN: JSON.stringify([fleet().iotEndpoint, name, standIn.stranger()]) },
      });
      expect(stdout).toMatch(/^no connection to IoT Core within 3000 ms: .*AWS_IO_SOCKET_CLOSED/);
      expect(standIn.refused).toContain(name);
      expect(heard).toEqual([]);
    },
    LIMIT_MS,
  );
});
