import { SENSOR_ID } from "../../domain/imu.ts";

/** What the registry says of a serial number: registered by the operator before the device is shipped. */
export interface Registration {
  readonly sensorId: string;
  /** Epoch seconds after which a device may not provision itself with it any more; absent: no end. */
  readonly expiresAt?: number;
}

export type Admission =
  | { readonly allow: true; readonly sensorId: string }
  | { readonly allow: false; readonly reason: string };

/** Whether a device with this serial number may get a certificate. */
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
  return { allow: true, sensorId: registration.sensorId };
}
