import { ConditionalCheckFailedException, GetItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { dynamoDbClient } from "../../adapters/dynamodb.ts";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { admit, type Admission, type Registration } from "./decide.ts";

const settings = readSettings("devices", process.env);
const logger = createLogger("admit-device", settings.logLevel);
const dynamodb = dynamoDbClient(settings.region, settings.dynamodbEndpoint);

/** Pre-provisioning hook of IoT Core: decides whether a device gets its certificate, by the parameters that it sent. */
export async function handler(event: {
  readonly claimCertificateId?: string;
  readonly parameters?: Readonly<Record<string, string>>;
}): Promise<{ allowProvisioning: boolean; parameterOverrides?: Record<string, string> }> {
  const serialNumber = event.parameters?.["SerialNumber"];
  const admission = await decide(serialNumber);
  logger.info(
    { serialNumber, claimCertificateId: event.claimCertificateId, admission },
    admission.allow ? "device admitted" : "device refused",
  );
  return admission.allow
    ? { allowProvisioning: true, parameterOverrides: { SerialNumber: admission.sensorId } }
    : { allowProvisioning: false };
}

async function decide(serialNumber: string | undefined): Promise<Admission> {
  const nowMs = Date.now();
  if (serialNumber === undefined || serialNumber === "") return admit(serialNumber, undefined, nowMs);
  const admission = admit(serialNumber, await registration(serialNumber), nowMs);
  if (!admission.allow || (await use(serialNumber, nowMs))) return admission;
  return { allow: false, reason: `${serialNumber} was used a moment ago` };
}

/** Marks a serial number as used. @returns Whether it was not before; of two devices at once one has it */
async function use(serialNumber: string, nowMs: number): Promise<boolean> {
  try {
    await dynamodb.send(
      new UpdateItemCommand({
        TableName: settings.devicesTable,
        Key: { serialNumber: { S: serialNumber } },
        UpdateExpression: "SET usedAt = :now",
        ConditionExpression: "attribute_exists(serialNumber) AND attribute_not_exists(usedAt)",
        ExpressionAttributeValues: { ":now": { N: String(Math.floor(nowMs / 1_000)) } },
      }),
    );
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
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
  const usedAt = Item["usedAt"]?.N;
  return {
    sensorId: Item["sensorId"]?.S ?? serialNumber,
    ...(expiresAt === undefined ? {} : { expiresAt: Number(expiresAt) }),
    ...(usedAt === undefined ? {} : { usedAt: Number(usedAt) }),
  };
}
