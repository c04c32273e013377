import { join } from "node:path";
import { LOOPBACK } from "../../config/local.ts";
import { probePort } from "../ports.ts";
import type { ServerDefinition, ServerPorts } from "./definition.ts";

/** A server that speaks MongoDB's wire protocol, version 8 of it. */
export const mongodb: ServerDefinition = {
  name: "mongodb",
  title: "MongoDB wire server",
  ports: ["mongodb"],
  mainClass: "MongoDbServer",
  javaOptions: ["-Xmx192m", "-Xms32m", "-XX:+UseSerialGC"],
  prepare: (folder, ports) => [join(folder, "millrace.mv"), String(ports.mongodb)],
  probe: (ports) => probePort(ports.mongodb),
};

/** Retryable writes are off, as DocumentDB needs it too. */
export function mongodbUri(ports: Pick<ServerPorts, "mongodb">): string {
  return `mongodb://${LOOPBACK}:${ports.mongodb}/?retryWrites=false`;
}
