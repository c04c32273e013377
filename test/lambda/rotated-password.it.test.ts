import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { Db } from "mongodb";
import { mongoDatabase } from "../../lambda/shared/mongo.ts";
import { pickFreePorts } from "../../local/processes/ports.ts";
import { SERVERS_FOLDER, type ServerPorts } from "../../local/servers/index.ts";
import { installServers } from "../../local/servers/install.ts";
import { mongodb, mongodbUri } from "../../local/servers/mongodb.ts";
import { prepareServer, runServer, type Server } from "../../local/servers/server.ts";

// A server that wants a password, and the official client of Secrets Manager against its protocol:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html

const folder = mkdtempSync(join(tmpdir(), "millrace-rotated-"));
const userFile = join(folder, "user");
let secrets: HttpServer;
let server: Server;
let ports: ServerPorts;
let secretPassword: string;
let reads = 0;

const setServerPassword = (password: string): void => writeFileSync(userFile, `millrace\n${password}\n`);

beforeAll(async () => {
  secrets = createServer((_, response) => {
    reads += 1;
    const SecretString = JSON.stringify({ username: "millrace", password: secretPassword });
    response.end(JSON.stringify({ ARN: "arn", Name: "documents", SecretString }));
  });
  await new Promise<void>((resolve) => secrets.listen(0, "127.0.0.1", resolve));
  process.env["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = `http://127.0.0.1:${(secrets.address() as AddressInfo).port}`;
  process.env["AWS_ACCESS_KEY_ID"] = process.env["AWS_SECRET_ACCESS_KEY"] = "local";
  setServerPassword("first");
  const [port = 0] = await pickFreePorts(1);
  ports = { kafka: 0, kafkaController: 0, mqtt: 0, dynamodb: 0, mongodb: port };
  const installation = await installServers({
    folder: SERVERS_FOLDER,
    javaHome: process.env["JAVA_HOME"],
    onProgress: () => undefined,
  });
  const withLogin = {
    ...mongodb,
    prepare: (data: string, all: ServerPorts) => [...mongodb.prepare(data, all), userFile],
  };
  server = await runServer(withLogin, prepareServer(withLogin, installation, ports, folder), ports);
}, 120_000);

beforeEach(() => {
  setServerPassword("first");
  secretPassword = "first";
  reads = 0;
});

afterAll(async () => {
  await server.stop();
  secrets.close();
  rmSync(folder, { recursive: true, force: true });
});

const open = (): ReturnType<typeof mongoDatabase> =>
  mongoDatabase(
    {
      mongodbUri: mongodbUri(ports),
      mongodbDatabase: "documents",
      mongodbSecretArn: "arn:aws:secretsmanager:us-east-1:111122223333:secret:documents",
      mongodbCaFile: undefined,
      region: "us-east-1",
    },
    5_000,
  );

/** Two reads at once need two connections. */
const readTwice = (db: Db): Promise<unknown[]> =>
  Promise.all([1, 2].map(() => db.collection<{ _id: string }>("things").findOne({ _id: "a" })));

test("a new connection after the password was rotated logs in with the new one", async () => {
  const withDatabase = open();
  await withDatabase((db) => db.collection<{ _id: string }>("things").replaceOne({ _id: "a" }, {}, { upsert: true }));
  expect(reads).toBe(1);
  setServerPassword("second");
  secretPassword = "second";
  // The connection that has logged in stays so.
  await withDatabase((db) => db.collection<{ _id: string }>("things").findOne({ _id: "a" }));
  expect(reads).toBe(1);
  expect(await withDatabase(readTwice)).toEqual([{ _id: "a" }, { _id: "a" }]);
  expect(reads).toBe(2);
  await withDatabase((db) => Promise.resolve(db.client.close()));
});

test("the secret is read again once: while it still has the old password, the caller is told", async () => {
  const withDatabase = open();
  setServerPassword("second");
  await expect(withDatabase(readTwice)).rejects.toMatchObject({ code: 18 });
  expect(reads).toBe(2);
  secretPassword = "second";
  expect(await withDatabase(readTwice)).toEqual([{ _id: "a" }, { _id: "a" }]);
  expect(reads).toBe(3);
  await withDatabase((db) => Promise.resolve(db.client.close()));
});

test("another error is not tried again, and the secret is left alone", async () => {
  const withDatabase = open();
  let attempts = 0;
  await expect(
    withDatabase(async (db) => {
      attempts += 1;
      await db.command({ thereIsNoSuchCommand: 1 });
    }),
  ).rejects.toMatchObject({ code: 59 });
  expect([attempts, reads]).toEqual([1, 1]);
  await withDatabase((db) => Promise.resolve(db.client.close()));
});
