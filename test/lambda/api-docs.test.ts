import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { programs } from "../../config/settings.ts";
import {
  functions,
  MAX_FRAME_BYTES,
  MAX_SUBSCRIPTIONS,
  pageLimits,
  problems,
  restRoutes,
  ticketRoute,
  webSocketRoutes,
} from "../../domain/api.ts";
import { eventSourceMappings, tradeQueue } from "../../domain/event-source-mappings.ts";
import { gapReasons } from "../../domain/live-messages.ts";
import { MAX_RESUME_IDS, MAX_RESUMES } from "../../domain/resume.ts";
import { operatorRoutes } from "../../domain/routes.ts";
import { replayLimits } from "../../live/replay.ts";
import { MOST_WAITING } from "../../live/resumer.ts";
import { sendQueueLimits } from "../../live/send-queue.ts";

const root = join(import.meta.dirname, "../..");
const doc = readFileSync(join(root, "docs/api.md"), "utf8");

test("docs/api.md has exactly the routes, and which need a token", () => {
  const rows = [...doc.matchAll(/^\| `((?:GET|POST) [^`]+)` \| `([^`]+)` \|.*\| (yes|no) \|$/gm)].map(
    ([, route, name, token]) => `${route} ${name} ${token}`,
  );
  expect(rows).toEqual([
    ...restRoutes.map(
      (route) => `${route.method} ${route.path} ${route.function} ${route.auth === "jwt" ? "yes" : "no"}`,
    ),
    `${ticketRoute.method} ${ticketRoute.path} issue-ticket yes`,
  ]);
});

test("docs/api.md has exactly the problems, with their status", () => {
  const rows = [...doc.matchAll(/^\| `([a-z-]+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [code, Number(status)]);
  expect(rows).toEqual(Object.entries(problems).map(([code, { status }]) => [code, status]));
});

test("docs/api.md has exactly the reasons of gaps", () => {
  const table = doc.slice(doc.indexOf("| `reason` |")).split("\n\n")[0]!;
  const rows = [...table.matchAll(/^\| `([a-z-]+)` \| ([^|]+) \|$/gm)].map(([, reason, text]) => [reason, text]);
  expect(Object.fromEntries(rows)).toEqual(gapReasons);
});

test("docs/api.md has the limits of the code", () => {
  for (const text of [
    `${pageLimits.max.toLocaleString("en")}, ${pageLimits.default} when absent`,
    `at most ${MAX_SUBSCRIPTIONS.toLocaleString("en")} sensors`,
    `at most ${MAX_FRAME_BYTES.toLocaleString("en")} bytes`,
    `${sendQueueLimits.droppableBytes / 1024} KB of samples and trades`,
    `${sendQueueLimits.otherBytes / 1024 / 1024} MB of them`,
    `${replayLimits.offsets.toLocaleString("en")} offsets or ${replayLimits.bytes / 1024 / 1024} MB`,
    `At most ${MOST_WAITING / 1024 / 1024} MB wait`,
    `list of at most ${MAX_RESUME_IDS} ids`,
    `waits for ${MAX_RESUMES} partitions`,
  ])
    expect(doc).toContain(text);
});

test("every function has a handler and settings, and every route, mapping and queue a function", () => {
  for (const [name, { program }] of Object.entries(functions)) {
    expect([name, existsSync(join(root, `lambda/${name}/handler.ts`))]).toEqual([name, true]);
    expect(Object.keys(programs)).toContain(program);
  }
  const used = [
    ...restRoutes.map((route) => route.function),
    ...operatorRoutes.map((route) => route.function),
    ...webSocketRoutes.map((route) => route.function),
    ...eventSourceMappings.map(({ functionName }) => functionName),
    tradeQueue.functionName,
  ];
  expect([...new Set<string>(used)].toSorted()).toEqual(Object.keys(functions).toSorted());
});

test("every route is served by the function that it names", () => {
  const unserved = restRoutes.filter(
    ({ path, function: name }) =>
      !readFileSync(join(root, `lambda/${name}/handler.ts`), "utf8").includes(`"${path}": `),
  );
  expect(unserved).toEqual([]);
});
