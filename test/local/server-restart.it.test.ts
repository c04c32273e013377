import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { MongoClient } from "mongodb";
import { isPortFree } from "../../local/processes/ports.ts";
import { startServers } from "../../local/servers/index.ts";

test("a server killed with SIGKILL comes back with what it had acknowledged, and stop frees its port", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "millrace-servers-"));
  const servers = await startServers({ which: ["mongodb"], dataDir });
  try {
    const before = servers.server("mongodb").pid;
    const mongo = await MongoClient.connect(servers.mongodbUri);
    const things = mongo.db("test").collection<{ _id: number }>("things");
    for (let i = 0; i < 50; i++) await things.insertOne({ _id: i });
    await servers.server("mongodb").kill();
    await servers.server("mongodb").start();
    expect(servers.server("mongodb").pid).not.toBe(before);
    expect(await things.countDocuments()).toBe(50);
    await mongo.close();
  } finally {
    await servers.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
  expect(await isPortFree(servers.ports.mongodb)).toBe(true);
});

test("a server starts with the classes that were archived when the servers were installed", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "millrace-servers-"));
  const which = ["kafka", "mqtt", "mongodb"] as const;
  const servers = await startServers({ which, dataDir });
  try {
    for (const name of which) {
      const maps = `/proc/${servers.server(name).pid}/maps`;
      // Only Linux shows what a process has mapped.
      if (existsSync(maps)) expect(readFileSync(maps, "utf8")).toContain(`/${name}.jsa`);
    }
  } finally {
    await servers.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
});
