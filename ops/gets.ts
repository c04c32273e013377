import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { MillraceError } from "../domain/errors.ts";
import { SECOND, type Milliseconds } from "../domain/time.ts";
import { failed, type Answer, type Get } from "./answer.ts";
import type { LogReader } from "./log-reader.ts";
import type { Models } from "./models.ts";

/** How long an answer may take. */
const LIMIT: Milliseconds = 10 * SECOND;

const natural = z
  .string()
  .regex(/^\d{1,15}$/, "a whole number is expected")
  .transform(Number);
const recordsQuery = z.strictObject({
  topic: z.string().regex(/^[A-Za-z0-9._-]{1,249}$/, "the name of a topic is expected"),
  partition: natural.optional(),
  before: natural.optional(),
  limit: natural.pipe(z.number().min(1).max(50, "at most 50 records are given")).default(20),
});

/** What answers GET about the log, by path. */
export function logGets(
  log: Pick<LogReader, "topics" | "groups" | "records">,
  limit: Milliseconds = LIMIT,
): Readonly<Record<string, Get>> {
  return {
    "/ops/topics": () => read("Kafka", log.topics(), limit),
    "/ops/groups": () => read("Kafka", log.groups(), limit),
    "/ops/records": (query) => {
      const asked = recordsQuery.safeParse(Object.fromEntries(query));
      if (!asked.success) return failed(400, asked.error.issues.map(problemOf).join("; "));
      const { topic, limit: records, partition, before } = asked.data;
      const options = {
        limit: records,
        ...(partition === undefined ? {} : { partition }),
        ...(before === undefined ? {} : { before }),
      };
      return read("Kafka", log.records(topic, options), limit);
    },
  };
}

/** What answers GET about models, by path. */
export function modelGets(
  models: Pick<Models, "overview">,
  limit: Milliseconds = LIMIT,
): Readonly<Record<string, Get>> {
  return { "/ops/models": () => read("the store of models", models.overview(), limit) };
}

/**
 * The answer that has what is read: 504 where that takes too long, 404 or 502 where it can't be read.
 *
 * @param textType Type of what is read, where that is text
 */
export async function read(
  source: string,
  reading: Promise<unknown>,
  limit: Milliseconds = LIMIT,
  textType?: string,
): Promise<Answer> {
  const timer = new AbortController();
  const late = delay(limit, null, { signal: timer.signal }).catch(() => null);
  try {
    const body = await Promise.race([reading, late]);
    if (body !== null) return { status: 200, body, ...(textType === undefined ? {} : { textType }) };
    reading.catch(() => undefined);
    return failed(504, `${source} does not answer within ${limit / SECOND} s`);
  } catch (error) {
    return error instanceof MillraceError
      ? failed(404, error.message)
      : failed(502, `${source} can't be read: ${(error as Error).message}`);
  } finally {
    timer.abort();
  }
}

function problemOf({ path, message }: z.core.$ZodIssue): string {
  return `${path.join(".") || "parameters"}: ${message}`;
}
