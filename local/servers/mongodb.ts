import { existsSync } from "node:fs";
import { join } from "node:path";
import { LOOPBACK } from "../../config/local.ts";
import { MillraceError } from "../../domain/errors.ts";
import { probePort } from "../processes/ports.ts";
import type { ServerDefinition, ServerPorts } from "./definition.ts";

/** File of the data. Its name changes with the layout of the documents. */
const FILE = "store-2.mv";
const OLDER_FILE = "millrace.mv";

/** A server that speaks version 8 of MongoDB's wire protocol. */
export const mongodb: ServerDefinition = {
  name: "mongodb",
  title: "MongoDB wire server",
  ports: ["mongodb"],
  mainClass: "MongoDbServer",
  moreJars: [],
  javaOptions: ["-Xmx192m", "-Xms32m", "-Xmn24m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
  prepare(folder, ports) {
    const older = join(folder, OLDER_FILE);
    if (existsSync(older))
      throw new MillraceError(
        "data-folder-broken",
        `${older} holds windows and sessions in the layout of an older version, which this one can't read. ` +
          "Delete the data with --fresh, or start that version.",
      );
    return [join(folder, FILE), String(ports.mongodb)];
  },
  probe: (ports) => probePort(ports.mongodb),
};

/** Retryable writes are off, because DocumentDB does not support them either. */
export function mongodbUri(ports: Pick<ServerPorts, "mongodb">): string {
  return `mongodb://${LOOPBACK}:${ports.mongodb}/?retryWrites=false`;
}
