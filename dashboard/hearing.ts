import type { Sensor } from "./api.ts";
import { time } from "./format.ts";

/** A sensor that was heard in this time is live: its newest window is a second old. */
const LIVE_MS = 15_000;

/** @param lastSeen Newest event time of a sensor, epoch ms. */
export function isLive(lastSeen: number): boolean {
  return Date.now() - lastSeen < LIVE_MS;
}

/** Whether a sensor is heard, and when it last was. */
export function hearing(lastSeen: number): string {
  return isLive(lastSeen) ? `live, ${time(lastSeen)}` : `silent since ${time(lastSeen)}`;
}

/** Live sensors are sorted by their id, so that they stay in place; the others by when they were last heard. */
export function byHearing(a: Sensor, b: Sensor): number {
  const byName = a.sensorId.localeCompare(b.sensorId, undefined, { numeric: true });
  const [isALive, isBLive] = [isLive(a.lastSeen), isLive(b.lastSeen)];
  if (isALive && isBLive) return byName;
  return Number(isBLive) - Number(isALive) || b.lastSeen - a.lastSeen || byName;
}
