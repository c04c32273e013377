import { answer, type ActivityStretch, type Api, type List, type Session } from "./api.ts";

/** Items of a page, and pages that are read, at most. */
const PAGE = 1_000;
const PAGES = 4;

/** What there is of a sensor in [from, to), epoch ms, newest first. `isCut`: whether there is more. */
export interface Listed<T> {
  readonly items: readonly T[];
  readonly isCut: boolean;
}

/** @throws RequestError */
export function readActivity(api: Api, sensorId: string, from: number, to: number): Promise<Listed<ActivityStretch>> {
  const of = { from: String(from), to: String(to) };
  return readList((page) =>
    answer(api.GET("/sensors/{sensorId}/activity", { params: { path: { sensorId }, query: { ...of, ...page } } })),
  );
}

/** @throws RequestError */
export function readSessions(api: Api, sensorId: string, from: number, to: number): Promise<Listed<Session>> {
  const of = { sensorId, from: String(from), to: String(to) };
  return readList((page) => answer(api.GET("/sessions", { params: { query: { ...of, ...page } } })));
}

async function readList<T>(read: (page: { limit: number; cursor?: string }) => Promise<List<T>>): Promise<Listed<T>> {
  const found: T[] = [];
  let after = {};
  for (let page = 0; page < PAGES; page++) {
    const { items, next } = await read({ limit: PAGE, ...after });
    found.push(...items);
    if (next === null) return { items: found, isCut: false };
    after = { cursor: next };
  }
  return { items: found, isCut: true };
}
