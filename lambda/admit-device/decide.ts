import { SENSOR_ID } from "../../domain/imu.ts";

/** The entry of a serial number in the registry of devices, made before the device is shipped. */
export interface Registration {
  readonly sensorId: string;
  /** Epoch seconds from which a device may no longer provision itself. Absent: never. */
  readonly expiresAt?: number;
  /** Epoch seconds at which a device provisioned itself with it. Absent: none has. */
  readonly usedAt?: number;
}

/** What the client ids of the platform's own programs begin with. A device that had one would end their connections. */
const OWN_CLIENTS = "millrace-";

/** The sensor as which a device is admitted, or why it is not. */
export type Admission =
  | { readonly allow: true; readonly sensorId: string }
  | { readonly allow: false; readonly reason: string };

/** Whether a device with this serial number may get a certificate: a serial number is used once. */
export function admit(serialNumber: unknown, registration: Registration | undefined, nowMs: number): Admission {
  if (typeof serialNumber !== "string" || !SENSOR_ID.test(serialNumber))
    return {
      allow: false,
      reason: `serial number ${JSON.stringify(serialNumber)} is no sensor id of [A-Za-z0-9:_-]{1,128}`,
    };
  if (!registration) return { allow: false, reason: `${serialNumber} is not registered` };
  if (registration.expiresAt !== undefined && registration.expiresAt * 1_000 <= nowMs)
    return {
      allow: false,
      reason: `the registration of ${serialNumber} ended at ${new Date(registration.expiresAt * 1_000).toISOString()}`,
    };
  if (registration.usedAt !== undefined)
    return {
      allow: false,
      reason: `${serialNumber} was used at ${new Date(registration.usedAt * 1_000).toISOString()}`,
    };
  const { sensorId } = registration;
  if (!SENSOR_ID.test(sensorId) || sensorId.startsWith(OWN_CLIENTS))
    return {
      allow: false,
      reason: `${serialNumber} is registered as ${JSON.stringify(sensorId)}, which can be no sensor`,
    };
  return { allow: true, sensorId };
}
