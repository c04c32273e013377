import type { ComponentsOverview } from "../../domain/ops.ts";
import { operatorRoutes } from "../../domain/routes.ts";
import type { Milliseconds } from "../../domain/time.ts";
import type { Get, Post } from "../../ops/answer.ts";
import { logGets, modelGets, plain } from "../../ops/gets.ts";
import { letterPost, type SendLetter } from "../../ops/letters.ts";
import type { LogReader } from "../../ops/log-reader.ts";
import type { Models } from "../../ops/models.ts";
import { operatorsDocument } from "../../ops/openapi.ts";

export interface OpsOptions {
  readonly log: Pick<LogReader, "topics" | "groups" | "records">;
  readonly models: Models;
  readonly sendLetter: SendLetter;
  readonly components: () => ComponentsOverview;
  /** @default 10 s */
  readonly limit?: Milliseconds;
}

/** Its `GET /metrics` is the public API's here. */
const document = operatorsDocument({
  routes: operatorRoutes.filter(({ path }) => path !== "/metrics"),
  isSigned: false,
});

/** The operators' API of `npm start`, by path. */
export function opsAnswers({ log, models, sendLetter, components, limit }: OpsOptions): {
  readonly gets: Readonly<Record<string, Get>>;
  readonly posts: Readonly<Record<string, Post>>;
} {
  return {
    gets: {
      "/ops/components": plain(() => ({ status: 200, body: components() })),
      "/ops/openapi.json": plain(() => ({ status: 200, body: document })),
      ...logGets(log, limit),
      ...modelGets(models, limit),
    },
    posts: {
      "/ops/models": (body, key) => models.change(body, key),
      "/ops/dead-letters": letterPost(sendLetter),
    },
  };
}
