import { LOOPBACK } from "../../config/local.ts";
import { DYNAMODB_JARS, type ServerDefinition, type ServerPorts } from "./definition.ts";

/** Amazon's DynamoDB Local. */
export const dynamodb: ServerDefinition = {
  name: "dynamodb",
  title: "DynamoDB Local",
  ports: ["dynamodb"],
  mainClass: "DynamoDbServer",
  moreJars: [DYNAMODB_JARS],
  javaOptions: ["-Xmx256m", "-Xms32m", "-Xmn16m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
  prepare: (folder, ports) => [folder, String(ports.dynamodb)],
  // The request is not signed, so the answer is 400. Any answer means that the server is running.
  probe: async (ports) => void (await fetch(dynamodbEndpoint(ports), { signal: AbortSignal.timeout(2_000) })),
};

export function dynamodbEndpoint(ports: Pick<ServerPorts, "dynamodb">): string {
  return `http://${LOOPBACK}:${ports.dynamodb}`;
}
