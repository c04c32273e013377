import { answer, type Api, type List, type SensorWindow } from "./api.ts";

/** Windows in a page of the API. */
const PAGE = 1_000;
/** Pages of a range that is read whole, at most. */
const PAGES = 8;
/** Windows that are read of a longer range, spread evenly over it. */
const SPREAD = 240;
/** Requests at the same time. */
const AT_ONCE = 4;
/** A range up to this is read whole, in ms. */
const WHOLE_MS = 3_600_000;

/** Windows of the shortest tumbling operator, oldest first. */
export interface History {
  readonly windows: readonly SensorWindow[];
  /** Time between two windows that are read, in ms; 0 where all are. */
  readonly everyMs: number;
}

/**
 * Reads the windows of a sensor in [from, to), epoch ms: all of an hour, and an even selection of more.
 *
 * @throws RequestError
 */
export async function readWindows(api: Api, sensorId: string, from: number, to: number): Promise<History> {
  const read = (start: number, end: number, page: { limit: number; cursor?: string }): Promise<List<SensorWindow>> => {
    const params = { path: { sensorId }, query: { from: String(start), to: String(end), ...page } };
    return answer(api.GET("/sensors/{sensorId}/windows", { params }));
  };
  const found: SensorWindow[] = [];
  if (to - from <= WHOLE_MS) {
    let after = {};
    for (let page = 0; page < PAGES; page++) {
      const { items, next } = await read(from, to, { limit: PAGE, ...after });
      found.push(...items);
      if (next === null) break;
      after = { cursor: next };
    }
    return { windows: inOrder(found), everyMs: 0 };
  }
  const everyMs = Math.ceil((to - from) / SPREAD / 1_000) * 1_000;
  const starts: number[] = [];
  for (let start = Math.ceil(from / 1_000) * 1_000; start < to; start += everyMs) starts.push(start);
  const workers = Array.from({ length: AT_ONCE }, async () => {
    for (let start = starts.pop(); start !== undefined; start = starts.pop())
      found.push(...(await read(start, start + 1_000, { limit: 20 })).items);
  });
  await Promise.all(workers);
  return { windows: inOrder(found), everyMs };
}

/** The windows of the operator whose windows are the shortest and don't overlap. */
export function ofShortest(windows: readonly SensorWindow[]): SensorWindow[] {
  const tumbling = windows.filter(({ operator }) => operator.startsWith("tumbling-"));
  const lengthOf = ({ window }: SensorWindow): number => window.end - window.start;
  const shortest = Math.min(...tumbling.map(lengthOf));
  return tumbling.filter((window) => lengthOf(window) === shortest);
}

function inOrder(windows: readonly SensorWindow[]): SensorWindow[] {
  const byStart = new Map(ofShortest(windows).map((window) => [window.window.start, window]));
  return [...byStart.values()].sort((a, b) => a.window.start - b.window.start);
}

/** A time without readings, epoch ms. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** Times in which there is no window, between the first and the last. @param windows All, oldest first. */
export function gapsBetween(windows: readonly { readonly window: { readonly start: number; readonly end: number } }[]) {
  const gaps: Gap[] = [];
  windows.forEach(({ window }, i) => {
    const before = windows[i - 1]?.window.end;
    if (before !== undefined && window.start > before) gaps.push({ from: before, to: window.start });
  });
  return gaps;
}
