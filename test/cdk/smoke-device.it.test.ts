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
import { deviceName } from "../../lib/smoke/provisioning.ts";
import { eventually } from "../support/eventually.ts";
import { sharedServers, uniqueName } from "../support/servers.ts";
import { IOT_HOST, IotCoreStandIn } from "./iot-core-standin.ts";
import { pythonTools } from "./python.ts";
import { root } from "./synthesised.ts";

const LIMIT_MS = 120_000;
const tools = pythonTools();
const described = tools === undefined ? describe.skip : describe;
const TABLE = "millrace-dev-devices";
const credentials = { accessKeyId: "id", secretAccessKey: "secret" };

described("a device of the smoke test", () => {
  let standIn: IotCoreStandIn;
  let iot: IoTClient;
  let dynamodb: DynamoDBClient;
  let watcher: MqttClient;
  const heard: { topic: string; type: string | undefined; seq: number; boot: string }[] = [];
  /** Called before the hook. */
  let beforeHook: (serialNumber: string) => Promise<unknown> = () => Promise.resolve();
  /**
   * Does something with the smoke test's device in a process of its own, as `npm run smoke` is one: aws-crt keeps a
   * process alive whose client was refused once.
   */
  const inProcess = async (program: string): Promise<string> => {
    const iotEndpoint = { host: IOT_HOST, port: standIn.port, authority: standIn.authority };
    const code = `
      const { connected, publishReadings } = await import("./lib/smoke/device.ts");
      const { provisionDevice, removeDevice } = await import("./lib/smoke/provisioning.ts");
      const { environment } = await import("./config/environments/index.ts");
      const roles = { smoke: async () => (${JSON.stringify(credentials)}) };
      const fleet = { config: environment("dev"), iotEndpoint: ${JSON.stringify(iotEndpoint)}, roles };
      const run = async () => { ${program} };
      console.log(await run().catch(({ message }) => message));
      process.exit();`;
    const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", code];
    return (await promisify(execFile)(process.execPath, args, { cwd: root, env: { ...process.env } })).stdout.trim();
  };
  const before = { ...process.env };

  beforeAll(async () => {
    const { mqttUrl } = sharedServers();
    standIn = new IotCoreStandIn({
      tools: tools!,
      brokerUrl: mqttUrl,
      template: "millrace-dev-sensor",
      policy: "millrace-dev-sensor",
      // The function of the template, on the stand-in's table.
      hook: async (event) => {
        await beforeHook(event.parameters["SerialNumber"]!);
        return (await import("../../lambda/admit-device/handler.ts")).handler(event);
      },
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
      const device = await inProcess(`return JSON.stringify(await provisionDevice(fleet, "${name}"));`);
      expect((await iot.send(new DescribeThingCommand({ thingName: name }))).thingName).toBe(name);
      const { principals = [] } = await iot.send(new ListThingPrincipalsCommand({ thingName: name }));
      const { policies } = await iot.send(new ListAttachedPoliciesCommand({ target: principals[0] }));
      expect(policies?.map(({ policyName }) => policyName)).toEqual(["millrace-dev-sensor"]);
      // The hook has marked the serial number.
      expect(Number((await item(name))?.["usedAt"]?.N)).toBeGreaterThan(1_700_000_000);
      expect(await inProcess(`await publishReadings(fleet, ${device}); return "published";`)).toBe("published");
      await eventually(() => expect(heard).toHaveLength(10));
      expect(new Set(heard.map(({ topic, type }) => [topic, type].join()))).toEqual(
        new Set([`dev/imu/${name},application/json`]),
      );
      expect(heard.map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      // A claim connects under the prefix of claims, a device as itself.
      expect(standIn.letIn.slice(-2)).toEqual([`millrace-dev-claim-${name}`, name]);
      expect(await inProcess(`await removeDevice(fleet, "${name}"); return "removed";`)).toBe("removed");
      expect(await left()).toEqual({ things: 0, certificates: 0 });
      expect(await item(name)).toBeUndefined();
    },
    LIMIT_MS,
  );

  test(
    "that the hook refuses gets no thing, and IoT Core's words are told",
    async () => {
      const name = deviceName(uniqueName("used"));
      // Somebody uses the serial number while the device asks.
      beforeHook = async (serialNumber) =>
        await dynamodb.send(
          new UpdateItemCommand({
            TableName: TABLE,
            Key: { serialNumber: { S: serialNumber } },
            UpdateExpression: "SET usedAt = :now",
            ExpressionAttributeValues: { ":now": { N: "1" } },
          }),
        );
      expect(await inProcess(`await provisionDevice(fleet, "${name}");`)).toMatch(
        /^RegisterThing: AccessDenied: Pre-provisioning hook denied/,
      );
      expect(await inProcess(`await removeDevice(fleet, "${name}"); return "removed";`)).toBe("removed");
      await expect(iot.send(new DescribeThingCommand({ thingName: name }))).rejects.toThrow();
      expect(await item(name)).toBeUndefined();
    },
    LIMIT_MS,
  );

  test(
    "does not publish with a certificate that is not its own",
    async () => {
      const name = deviceName(uniqueName("stranger"));
      const identity = JSON.stringify(standIn.stranger());
      const connects = `return await connected(fleet.iotEndpoint, "${name}", ${identity}, () => "let in", 3_000);`;
      expect(await inProcess(connects)).toMatch(/^no connection to IoT Core within 3000 ms: .*AWS_IO_SOCKET_CLOSED/);
      expect(standIn.refused).toContain(name);
      expect(heard).toEqual([]);
    },
    LIMIT_MS,
  );
});
