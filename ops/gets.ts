import { setTimeout as delay } from "node:timers/promises";
import type { z } from "zod";
import { MillraceError } from "../domain/errors.ts";
import { opsQueries } from "../domain/ops.ts";
import { SECOND, type Milliseconds } from "../domain/time.ts";
import { failed, type Answer, type Get } from "./answer.ts";
import type { LogReader } from "./log-reader.ts";
import type { Models } from "./models.ts";

/** How long an answer may take. */
const LIMIT: Milliseconds = 10 * SECOND;

/** What answers GET about the log, by path. */
export function logGets(
  log: Pick<LogReader, "topics" | "groups" | "records">,
  limit: Milliseconds = LIMIT,
): Readonly<Record<string, Get>> {
  return {
    "/ops/topics": plain(() => read("Kafka", log.topics(), limit)),
    "/ops/groups": plain(() => read("Kafka", log.groups(), limit)),
    "/ops/records": withQuery(opsQueries.records, ({ topic, limit: records, partition, before }) => {
      const options = {
        limit: records,
        ...(partition === undefined ? {} : { partition }),
        ...(before === undefined ? {} : { before }),
      };
      return read("Kafka", log.records(topic, options), limit);
    }),
  };
}

/** What answers GET about models, by path. */
export function modelGets(
  models: Pick<Models, "overview">,
  limit: Milliseconds = LIMIT,
): Readonly<Record<string, Get>> {
  return { "/ops/models": plain(() => read("the store of models", models.overview(), limit)) };
}

/** Answers a GET that takes no parameters. */
export function plain(get: () => Answer | Promise<Answer>): Get {
  return withQuery(opsQueries.none, get);
}

/** Answers a GET by its parameters; 400 to those that are wrong, unknown, or given twice. */
function withQuery<Q extends z.ZodObject>(schema: Q, get: (query: z.infer<Q>) => Answer | Promise<Answer>): Get {
  return (query) => {
    const twice = new Set([...query.keys()].filter((name) => query.getAll(name).length > 1));
    const asked = schema.safeParse(Object.fromEntries(query));
    const known = Object.keys(schema.shape).join(", ") || "none";
    const problems = [
      ...[...twice].map((name) => `${name}: is given more than once`),
      ...(asked.error?.issues ?? []).flatMap((issue) =>
        issue.code === "unrecognized_keys"
          ? issue.keys.map((name) => `${name}: is not a parameter here; there are ${known}`)
          : [`${issue.path.join(".")}: ${issue.message}`],
      ),
    ];
    return asked.success && problems.length === 0 ? get(asked.data) : failed(400, problems.join("; "));
  };
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
