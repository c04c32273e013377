import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { describe, expect, test } from "@jest/globals";
import { MongoClient } from "mongodb";
import mqtt from "mqtt";
import { createTopics } from "../../adapters/kafka-topics.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { topics } from "../../domain/topics.ts";
import { sharedServers, uniqueName } from "../support/servers.ts";

const servers = sharedServers();

describe("the shared servers", () => {
  test("Kafka stamps records of input topics on arrival", async () => {
    const kafka = createKafka({ kafkaBrokers: servers.kafkaBrokers, kafkaAuth: "none", region: "local" }, "test");
    const admin = kafka.admin();
    await admin.connect();
    try {
      const name = uniqueName("input");
      await createTopics(admin, { specs: [{ ...topics.imuData, name }], partitions: 2 });
      expect(await createTopics(admin, { specs: [{ ...topics.imuData, name }] })).toEqual([]);
      const {
        topics: [described],
      } = await admin.fetchTopicMetadata({ topics: [name] });
      expect(described?.partitions).toHaveLength(2);

      const producer = kafka.producer();
      await producer.connect();
      const [partition] = await producer.send({
        topic: name,
        messages: [{ key: "s1", value: "x", timestamp: "1000" }],
      });
      const stamped = Number(partition?.logAppendTime);
      expect(stamped).toBeGreaterThan(Date.UTC(2020, 0));
      await producer.disconnect();
    } finally {
      await admin.disconnect();
    }
  });

  test("the MQTT 5 broker delivers a message with its content type to one member of a shared group", async () => {
    const topic = `imu/${uniqueName("s")}`;
    const group = uniqueName("group");
    const members = await Promise.all([0, 1].map(() => mqtt.connectAsync(servers.mqttUrl, { protocolVersion: 5 })));
    try {
      const received: string[] = [];
      const arrived = new Promise<void>((resolve) => {
        for (const member of members) {
          member.on("message", (_topic, payload, packet) => {
            received.push(`${payload.toString()} ${packet.properties?.contentType}`);
            if (received.length === 20) resolve();
          });
        }
      });
      for (const member of members) await member.subscribeAsync(`$share/${group}/${topic}`, { qos: 1 });
      for (let i = 0; i < 20; i++)
        await members[0]!.publishAsync(topic, String(i), { qos: 1, properties: { contentType: "application/json" } });
      await arrived;
      expect(received.sort()).toEqual(Array.from({ length: 20 }, (_, i) => `${i} application/json`).sort());
    } finally {
      for (const member of members) await member.endAsync();
    }
  });

  test("DynamoDB and the MongoDB wire server answer their official clients", async () => {
    const dynamodb = new DynamoDBClient({
      endpoint: servers.dynamodbEndpoint,
      region: "us-east-1",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    });
    expect((await dynamodb.send(new ListTablesCommand({}))).TableNames).toBeInstanceOf(Array);
    dynamodb.destroy();
    const mongo = await MongoClient.connect(servers.mongodbUri);
    const collection = mongo.db(uniqueName("test")).collection<{ _id: string; n: number }>("things");
    await collection.updateOne({ _id: "a" }, { $set: { n: 1 } }, { upsert: true });
    expect(await collection.findOne({ _id: "a" })).toEqual({ _id: "a", n: 1 });
    await mongo.close();
  });
});
