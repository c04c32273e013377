import { setTimeout as sleep } from "node:timers/promises";
import { DeleteItemCommand, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import {
  CertificateStateException,
  CreateProvisioningClaimCommand,
  DeleteCertificateCommand,
  DeleteConflictException,
  DeleteThingCommand,
  DetachThingPrincipalCommand,
  InvalidRequestException,
  IoTClient,
  ListThingPrincipalsCommand,
  ResourceNotFoundException,
  UpdateCertificateCommand,
} from "@aws-sdk/client-iot";
import { iotidentity, type mqtt5, type mqtt_request_response } from "aws-iot-device-sdk-v2";
import { dynamoAttributes, dynamoTableName } from "../../domain/names.ts";
import { resourceName, SMOKE_DEVICE_PREFIX } from "../names.ts";
import type { Deployment } from "./deployment.ts";
import { connected, type Device } from "./device.ts";

/** Fleet provisioning's hook has five seconds, and its answer comes by MQTT. */
const ANSWER_LIMIT_S = 20;
/** IoT Core detaches a certificate some seconds after it was asked to. */
const DETACH_LIMIT_MS = 30_000;
const DETACH_PAUSE_MS = 1_000;

/** What provisioning takes of a deployment. */
type Fleet = Pick<Deployment, "config" | "iotEndpoint"> & { readonly roles: Pick<Deployment["roles"], "smoke"> };

/** A name for a device that is there for one smoke test. */
export function deviceName(id: string): string {
  return `${SMOKE_DEVICE_PREFIX}${id}`;
}

/**
 * Registers a device and lets it provision itself, as a trusted user does: with a claim certificate of five minutes,
 * which leaves nothing behind
 * (https://docs.aws.amazon.com/iot/latest/developerguide/provision-wo-cert.html#trusted-user).
 *
 * @throws Error with IoT Core's refusal, its hook's too
 */
export async function provisionDevice({ config, iotEndpoint, roles }: Fleet, sensorId: string): Promise<Device> {
  const at = { region: config.region, credentials: roles.smoke };
  await new DynamoDBClient(at).send(
    new PutItemCommand({
      TableName: dynamoTableName(config.name, "devices"),
      Item: { [dynamoAttributes.devices.key]: { S: sensorId }, sensorId: { S: sensorId } },
    }),
  );
  const templateName = resourceName(config, "sensor");
  const claim = await new IoTClient(at).send(new CreateProvisioningClaimCommand({ templateName }));
  const identity = { certificate: claim.certificatePem!, privateKey: claim.keyPair!.PrivateKey! };
  const clientId = `${resourceName(config, "claim-")}${sensorId}`;
  return await connected(iotEndpoint, clientId, identity, (client) => register(client, templateName, sensorId));
}

/** Asks for a certificate, and for a thing that has it. */
async function register(client: mqtt5.Mqtt5Client, templateName: string, sensorId: string): Promise<Device> {
  const fleet = iotidentity.IotIdentityClientv2.newFromMqtt5(client, {
    maxRequestResponseSubscriptions: 4,
    maxStreamingSubscriptions: 1,
    operationTimeoutInSeconds: ANSWER_LIMIT_S,
  });
  try {
    const made = await fleet.createKeysAndCertificate({}).catch(refusalOf("CreateKeysAndCertificate"));
    const { thingName } = await fleet
      .registerThing({
        templateName,
        certificateOwnershipToken: made.certificateOwnershipToken!,
        parameters: { SerialNumber: sensorId },
      })
      .catch(refusalOf("RegisterThing"));
    if (thingName !== sensorId) throw new Error(`${sensorId} was registered as the thing ${thingName}`);
    return { sensorId, certificate: made.certificatePem!, privateKey: made.privateKey! };
  } finally {
    fleet.close();
  }
}

/** Gives IoT Core's own words of a refusal. */
function refusalOf(operation: string): (error: unknown) => never {
  return (error) => {
    const { modeledError } = error as mqtt_request_response.ServiceError;
    const { errorCode, errorMessage } = (modeledError ?? {}) as iotidentity.model.V2ErrorResponse;
    const why = errorCode === undefined ? String(error) : `${errorCode}: ${errorMessage ?? ""}`;
    throw new Error(`${operation}: ${why}`, { cause: error });
  };
}

/**
 * Takes a device away again: its certificates, its thing, its registration. What is not there is no error.
 *
 * @throws Error when IoT Core refuses; what is left is then to be deleted by hand
 */
export async function removeDevice({ config, roles }: Omit<Fleet, "iotEndpoint">, thingName: string): Promise<void> {
  const at = { region: config.region, credentials: roles.smoke };
  const iot = new IoTClient(at);
  const principals = await principalsOf(iot, thingName);
  for (const principal of principals ?? []) {
    const certificateId = principal.split("/").at(-1)!;
    await iot.send(new DetachThingPrincipalCommand({ thingName, principal }));
    await iot.send(new UpdateCertificateCommand({ certificateId, newStatus: "INACTIVE" }));
    // With its policy: https://docs.aws.amazon.com/iot/latest/apireference/API_DeleteCertificate.html
    await onceDetached(() => iot.send(new DeleteCertificateCommand({ certificateId, forceDelete: true })));
  }
  if (principals) await onceDetached(() => iot.send(new DeleteThingCommand({ thingName })));
  await new DynamoDBClient(at).send(
    new DeleteItemCommand({
      TableName: dynamoTableName(config.name, "devices"),
      Key: { [dynamoAttributes.devices.key]: { S: thingName } },
    }),
  );
}

/** The certificates of a thing, by their ARNs; undefined where there is no such thing. */
async function principalsOf(iot: IoTClient, thingName: string): Promise<readonly string[] | undefined> {
  try {
    return (await iot.send(new ListThingPrincipalsCommand({ thingName }))).principals ?? [];
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

/** Asks again while IoT Core says that something is still attached. */
async function onceDetached(ask: () => Promise<unknown>): Promise<void> {
  const end = Date.now() + DETACH_LIMIT_MS;
  for (;;) {
    try {
      return void (await ask());
    } catch (error) {
      const isAttached =
        error instanceof CertificateStateException ||
        error instanceof DeleteConflictException ||
        error instanceof InvalidRequestException;
      if (!isAttached || Date.now() + DETACH_PAUSE_MS > end) throw error;
      await sleep(DETACH_PAUSE_MS);
    }
  }
}
