import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { MillraceError } from "../../domain/errors.ts";
import type { ComponentsOverview } from "../../domain/ops.ts";
import { SECOND, type Milliseconds } from "../../domain/time.ts";
import { failed, type Answer, type Get, type Post } from "../status-server.ts";
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

export interface OpsOptions {
  readonly log: Pick<LogReader, "topics" | "groups" | "records">;
  readonly models: Models;
  readonly components: () => ComponentsOverview;
  /** @default 10 s */
  readonly limit?: Milliseconds;
}

/** The operators' API of `npm start`, by path. */
export function opsAnswers({ log, models, components, limit = LIMIT }: OpsOptions): {
  readonly gets: Readonly<Record<string, Get>>;
  readonly posts: Readonly<Record<string, Post>>;
} {
  const read = async (source: string, reading: Promise<unknown>): Promise<Answer> => {
    const timer = new AbortController();
    const late = delay(limit, null, { signal: timer.signal }).catch(() => null);
    try {
      const body = await Promise.race([reading, late]);
      if (body !== null) return { status: 200, body };
      reading.catch(() => undefined);
      return failed(504, `${source} does not answer within ${limit / SECOND} s`);
    } catch (error) {
      return error instanceof MillraceError
        ? failed(404, error.message)
        : failed(502, `${source} can't be read: ${(error as Error).message}`);
    } finally {
      timer.abort();
    }
  };
  return {
    gets: {
      "/ops/components": () => ({ status: 200, body: components() }),
      "/ops/topics": () => read("Kafka", log.topics()),
      "/ops/groups": () => read("Kafka", log.groups()),
      "/ops/models": () => read("the store of models", models.overview()),
      "/ops/records": (query) => {
        const asked = recordsQuery.safeParse(Object.fromEntries(query));
        if (!asked.success) return failed(400, asked.error.issues.map(problemOf).join("; "));
        const { topic, limit: records, partition, before } = asked.data;
        const options = {
          limit: records,
          ...(partition === undefined ? {} : { partition }),
          ...(before === undefined ? {} : { before }),
        };
        return read("Kafka", log.records(topic, options));
      },
    },
    posts: { "/ops/models": (body, key) => models.change(body, key) },
  };
}

function problemOf({ path, message }: z.core.$ZodIssue): string {
  return `${path.join(".") || "parameters"}: ${message}`;
}
