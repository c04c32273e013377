import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { admit, type Registration } from "./decide.ts";

const settings = readSettings("devices", process.env);
const logger = createLogger("admit-device", settings.logLevel);
const dynamodb = new DynamoDBClient({
  region: settings.region,
  ...(settings.dynamodbEndpoint ? { endpoint: settings.dynamodbEndpoint } : {}),
});

/** Pre-provisioning hook of IoT Core: called with what the device sent, before it gets its certificate. */
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
