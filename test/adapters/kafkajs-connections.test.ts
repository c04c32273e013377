import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { ISocketFactory } from "kafkajs";
import Connection from "kafkajs/src/network/connection.js";
import "../../adapters/kafka.ts";

const logger = { namespace: () => ({ debug: () => undefined, error: () => undefined }) };

let broker: Server;
let port: number;
let sockets: Socket[];
let socketsFail: boolean;
let one: Connection;
beforeEach(async () => {
  broker = createServer((socket) => socket.resume());
  await once(broker.listen(0, "127.0.0.1"), "listening");
  ({ port } = broker.address() as AddressInfo);
  sockets = [];
  socketsFail = false;
  const socketFactory: ISocketFactory = ({ host, port, onConnect }) => {
    if (socketsFail) throw new Error("no sockets");
    const socket = connect({ host, port }, onConnect);
    sockets.push(socket);
    return socket;
  };
  const times = { connectionTimeout: 5_000, requestTimeout: 5_000 };
  one = new Connection({ host: "127.0.0.1", port, logger, socketFactory, ...times });
});
afterEach(async () => {
  await one.disconnect();
  broker.close();
});

test("requests that come at once open one socket", async () => {
  await Promise.all([one.connect(), one.connect()]);
  expect(sockets).toHaveLength(1);
});

test("a connection that was closed opens again, also when it was closed while it opened", async () => {
  await one.connect();
  await one.disconnect();
  void one.connect();
  await one.disconnect();
  await one.connect();
  expect(sockets).toHaveLength(3);
});

test("a connection that could not be opened is tried again", async () => {
  broker.close();
  await expect(one.connect()).rejects.toThrow("ECONNREFUSED");
  await once(broker.listen(port, "127.0.0.1"), "listening");
  await one.connect();
  expect(sockets).toHaveLength(2);
  await one.disconnect();
  socketsFail = true;
  await expect(one.connect()).rejects.toThrow("no sockets");
  socketsFail = false;
  await one.connect();
  expect(sockets).toHaveLength(3);
});
