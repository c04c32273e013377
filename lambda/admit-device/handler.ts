import { GetItemCommand } from "@aws-sdk/client-dynamodb";
import { dynamoDbClient } from "../../adapters/dynamodb.ts";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { admit, type Registration } from "./decide.ts";

const settings = readSettings("devices", process.env);
const logger = createLogger("admit-device", settings.logLevel);
const dynamodb = dynamoDbClient(settings.region, settings.dynamodbEndpoint);

/** Pre-provisioning hook of IoT Core: decides whether a device gets its certificate, by the parameters that it sent. */
export async function handler(event: {
  readonly claimCertificateId?: string;
  readonly parameters?: Readonly<Record<string, string>>;
}): Promise<{ allowProvisioning: boolean; parameterOverrides?: Record<string, string> }> {
  const serialNumber = event.parameters?.["SerialNumber"];
  const admission = admit(
    serialNumber,
    typeof serialNumber === "string" && serialNumber !== "" ? await registration(serialNumber) : undefined,
    Date.now(),
  );
  logger.info(
    { serialNumber, claimCertificateId: event.claimCertificateId, admission },
    admission.allow ? "device admitted" : "device refused",
  );
  return admission.allow
    ? { allowProvisioning: true, parameterOverrides: { SerialNumber: admission.sensorId } }
    : { allowProvisioning: false };
}

async function registration(serialNumber: string): Promise<Registration | undefined> {
  const { Item } = await dynamodb.send(
    new GetItemCommand({
      TableName: settings.devicesTable,
      Key: { serialNumber: { S: serialNumber } },
      ConsistentRead: true,
    }),
  );
  if (!Item) return undefined;
  const expiresAt = Item["expiresAt"]?.N;
  return {
    sensorId: Item["sensorId"]?.S ?? serialNumber,
    ...(expiresAt === undefined ? {} : { expiresAt: Number(expiresAt) }),
  };
}
