import { LOOPBACK } from "../../config/local.ts";
import type { ServerDefinition, ServerPorts } from "./definition.ts";

/** Amazon's DynamoDB Local. */
export const dynamodb: ServerDefinition = {
  name: "dynamodb",
  title: "DynamoDB Local",
  ports: ["dynamodb"],
  mainClass: "DynamoDbServer",
  javaOptions: ["-Xmx256m", "-Xms32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
  prepare: (folder, ports) => [folder, String(ports.dynamodb)],
  // Without a signed request it answers 400: it is there.
  probe: async (ports) => void (await fetch(dynamodbEndpoint(ports), { signal: AbortSignal.timeout(2_000) })),
};

export function dynamodbEndpoint(ports: Pick<ServerPorts, "dynamodb">): string {
  return `http://${LOOPBACK}:${ports.dynamodb}`;
}
