import type { ActivityStretch, Session } from "../domain/api.ts";
import { type List, request } from "./client.ts";

/** Items of a page, and pages that are read, at most. */
const PAGE = 1_000;
const PAGES = 4;

/** What there is of a sensor in [from, to), epoch ms, newest first. `isCut`: whether there is more. */
export interface Listed<T> {
  readonly items: readonly T[];
  readonly isCut: boolean;
}

/** @throws RequestError */
export function readActivity(
  restUrl: string,
  sensorId: string,
  from: number,
  to: number,
): Promise<Listed<ActivityStretch>> {
  return readList(restUrl, `/sensors/${encodeURIComponent(sensorId)}/activity?from=${from}&to=${to}`);
}

/** @throws RequestError */
export function readSessions(restUrl: string, sensorId: string, from: number, to: number): Promise<Listed<Session>> {
  return readList(restUrl, `/sessions?sensorId=${encodeURIComponent(sensorId)}&from=${from}&to=${to}`);
}

async function readList<T>(restUrl: string, path: string): Promise<Listed<T>> {
  const found: T[] = [];
  let after = "";
  for (let page = 0; page < PAGES; page++) {
    const { items, next } = await request<List<T>>(restUrl, `${path}&limit=${PAGE}${after}`);
    found.push(...items);
    if (next === null) return { items: found, isCut: false };
    after = `&cursor=${encodeURIComponent(next)}`;
  }
  return { items: found, isCut: true };
}
