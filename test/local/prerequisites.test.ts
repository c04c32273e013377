import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openHome } from "../../local/home.ts";
import { installServers } from "../../local/servers/install.ts";
import { kafka } from "../../local/servers/kafka.ts";
import { mongodb } from "../../local/servers/mongodb.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-prerequisites-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A JAVA_HOME whose `java -version` prints this, as JDK 8 and 17 do. */
function javaHome(name: string, version: string, withCompiler: boolean): string {
  const bin = join(folder, name, "bin");
  mkdirSync(bin, { recursive: true });
  for (const command of withCompiler ? ["java", "javac"] : ["java"]) {
    writeFileSync(join(bin, command), `#!/bin/sh\necho 'openjdk version "${version}" 2025-04-15' >&2\n`);
    chmodSync(join(bin, command), 0o755);
  }
  return join(folder, name);
}
const install = (home: string): Promise<unknown> =>
  installServers({ folder: join(folder, "servers"), javaHome: home, onProgress: () => undefined });

test("a Java that is too old is reported with the remedy", async () => {
  await expect(install(javaHome("old", "1.8.0_392", true))).rejects.toMatchObject({
    code: "prerequisite-missing",
    message: expect.stringMatching(/Java 8 was found.*17 or later.*apt install/s),
  });
  await expect(install(javaHome("eleven", "11.0.2", true))).rejects.toThrow("Java 11 was found");
});

test("a Java without its compiler is reported as such", async () => {
  await expect(install(javaHome("jre", "17.0.15", false))).rejects.toMatchObject({
    code: "prerequisite-missing",
    message: expect.stringContaining("javac is missing"),
  });
});

test("a home that is a file is refused, with the remedy", () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  expect(() => openHome(file, false)).toThrow(
    expect.objectContaining({ code: "data-folder-broken", message: expect.stringContaining("--home DIR") }),
  );
});

test("--fresh deletes data, a plain start keeps it, and the logs of the start before are kept", () => {
  const home = openHome(join(folder, "home"), false);
  writeFileSync(join(home.data, "kept"), "1");
  writeFileSync(join(home.logs, "a.log"), "1");
  openHome(home.folder, false);
  expect(() => writeFileSync(join(home.folder, "logs.previous", "a.log"), "", { flag: "r+" })).not.toThrow();
  expect(() => writeFileSync(join(home.data, "kept"), "", { flag: "r+" })).not.toThrow();
  openHome(home.folder, true);
  expect(() => writeFileSync(join(home.data, "kept"), "", { flag: "r+" })).toThrow("ENOENT");
});

test("Kafka's damaged meta.properties is reported before Kafka is started", () => {
  const data = join(folder, "kafka");
  mkdirSync(join(data, "logs"), { recursive: true });
  writeFileSync(join(data, "logs", "meta.properties"), "version=1\n");
  expect(() => kafka.prepare(data, { kafka: 1, kafkaController: 2, mqtt: 3, dynamodb: 4, mongodb: 5 })).toThrow(
    expect.objectContaining({ code: "data-folder-broken", message: expect.stringContaining("--fresh") }),
  );
});

test("the store's data of a version with another layout is refused, with what to do", () => {
  const data = join(folder, "mongodb");
  mkdirSync(data, { recursive: true });
  const ports = { kafka: 1, kafkaController: 2, mqtt: 3, dynamodb: 4, mongodb: 5 };
  expect(mongodb.prepare(data, ports)).toEqual([join(data, "store-2.mv"), "5"]);
  writeFileSync(join(data, "millrace.mv"), "");
  expect(() => mongodb.prepare(data, ports)).toThrow(
    expect.objectContaining({ code: "data-folder-broken", message: expect.stringContaining("--fresh") }),
  );
});
