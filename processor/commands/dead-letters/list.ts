import type { Cluster } from "kafkajs";
import { newestFirst, offsetsBetween, partitionsOf } from "../../../adapters/read-partition.ts";
import type { LogRecord } from "../../../adapters/record-batches.ts";
import { topics } from "../../../domain/topics.ts";
import { isMeant, letterOf, printable, type LetterFilter } from "./letters.ts";
import { letterName } from "./record-of-letter.ts";

/** Letters that a search looks at. */
export const MAX_LOOKED_AT = 200_000;
const TOPIC = topics.deadLetter.name;

export interface FoundLetters {
  /** Newest first. */
  readonly records: readonly LogRecord[];
  /** How the search ended: at the end of what there is, at the number asked for, or at `MAX_LOOKED_AT`. */
  readonly end: "all" | "limit" | "looked-at";
}

/** The newest letters that a filter means, at most `limit`. */
export async function findLetters(cluster: Cluster, filter: LetterFilter, limit: number): Promise<FoundLetters> {
  const { from = 0, to = Infinity } = filter;
  const readers: Reader[] = [];
  for (const partition of await partitionsOf(cluster, TOPIC)) {
    const range = await offsetsBetween(cluster, TOPIC, partition, { from, to });
    readers.push(await next(newestFirst(cluster, TOPIC, partition, range)));
  }
  const records: LogRecord[] = [];
  for (let lookedAt = 0; ; lookedAt++) {
    const at = newestOf(readers);
    if (at < 0) return { records, end: "all" };
    if (records.length === limit) return { records, end: "limit" };
    if (lookedAt === MAX_LOOKED_AT) return { records, end: "looked-at" };
    const { letters, head } = readers[at]!;
    if (isMeant(head!, filter)) records.push(head!);
    readers[at] = await next(letters);
  }
}

/** A partition's letters from the end, and the next one; null behind the first. */
interface Reader {
  readonly letters: AsyncGenerator<LogRecord>;
  readonly head: LogRecord | null;
}

async function next(letters: AsyncGenerator<LogRecord>): Promise<Reader> {
  const { value, done } = await letters.next();
  return { letters, head: done ? null : value };
}

/** Which reader has the newest letter; -1 when none has any. */
function newestOf(readers: readonly Reader[]): number {
  let best = -1;
  for (const [i, { head }] of readers.entries())
    if (head && head.timestamp > (readers[best]?.head?.timestamp ?? -Infinity)) best = i;
  return best;
}

/** A letter as a line: when, place, code, what it is about, message. */
export function letterLine(record: LogRecord): string {
  const { at, code, sensorId, symbol, message } = letterOf(record);
  const about = sensorId ?? symbol ?? "-";
  return `${new Date(at).toISOString()}  ${letterName(record)}  ${code}  ${about}  ${printable(message)}\n`;
}
