import { join } from "node:path";
import { LOOPBACK } from "../../config/local.ts";
import { probePort } from "../processes/ports.ts";
import type { ServerDefinition, ServerPorts } from "./definition.ts";

/** A server that speaks version 8 of MongoDB's wire protocol. */
export const mongodb: ServerDefinition = {
  name: "mongodb",
  title: "MongoDB wire server",
  ports: ["mongodb"],
  mainClass: "MongoDbServer",
  javaOptions: ["-Xmx192m", "-Xms32m", "-XX:+UseSerialGC"],
  prepare: (folder, ports) => [join(folder, "millrace.mv"), String(ports.mongodb)],
  probe: (ports) => probePort(ports.mongodb),
};

/** Retryable writes are off, because DocumentDB does not support them either. */
export function mongodbUri(ports: Pick<ServerPorts, "mongodb">): string {
  return `mongodb://${LOOPBACK}:${ports.mongodb}/?retryWrites=false`;
}
