import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import { checkHealth } from "../../lib/smoke/checks.ts";
import { given, rowOf, smokeTable } from "../../lib/smoke/table.ts";
import { deliveryVerdict } from "../../lib/smoke/verdict.ts";

const works = { commits: true, aborts: true, fences: true };

test.each([
  [
    "transactions work as configured",
    "transactional",
    works,
    { values: ["n/committed"], complete: true },
    true,
    "delivery: transactional holds",
  ],
  [
    "an aborted record is seen",
    "transactional",
    works,
    { values: ["n/committed", "n/aborted"], complete: true },
    false,
    'set processor.delivery to "idempotent"',
  ],
  [
    "an older producer is not stopped",
    "transactional",
    { ...works, fences: false },
    { values: ["n/committed"], complete: true },
    false,
    "fencing fails",
  ],
  [
    "there are none, as configured",
    "idempotent",
    { commits: false, aborts: false, fences: false, failure: "not authorized" },
    { values: [], complete: true },
    true,
    "delivery: idempotent is right",
  ],
  [
    "there are some, which the config doesn't use",
    "idempotent",
    works,
    { values: ["n/committed"], complete: true },
    true,
    "could be configured",
  ],
] as const)("the smoke test says when %s", (_what, delivery, produced, consumed, ok, detail) => {
  const verdict = deliveryVerdict(delivery, "n", produced, consumed);
  expect(verdict.ok).toBe(ok);
  expect(verdict.detail).toContain(detail);
});

// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html: the first request to a function waits
// for its environment, which API Gateway may answer with 502 or 504.
test.each([
  ["retries until the environment serves", [502, 503, 200], "degraded"],
  ["fails with the last answer when it does not", [503, 503, 503, 503, 503, 503], "not healthy within 40 ms"],
] as const)("the smoke test %s", async (_what, statuses, expected) => {
  let asked = 0;
  const server = createServer((_, response) => {
    response.statusCode = statuses[Math.min(asked++, statuses.length - 1)]!;
    response.end(response.statusCode === 502 ? "Bad Gateway" : '{"status":"degraded"}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const restUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const limits = { limitMs: statuses.includes(200 as never) ? 60_000 : 40, pauseMs: 5 };
  try {
    const found = await checkHealth({ restUrl }, limits).catch((error: Error) => error.message);
    expect(found).toContain(expected);
    if (limits.limitMs === 60_000) expect(asked).toBe(3);
    else expect(found).toContain('HTTP 503: {"status":"degraded"}');
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test("the smoke test ends with one table of what holds, what failed and what was not tried", () => {
  const table = smokeTable([
    { what: "REST /health", result: "holds", detail: "ok" },
    { what: "session over REST", result: "FAILED", detail: "no session\nand more" },
    { what: "the lake", result: "not tried", detail: "Athena" },
  ]);
  expect(table.split("\n")).toEqual([
    "holds      REST /health       ok",
    "FAILED     session over REST  no session",
    "not tried  the lake           Athena",
  ]);
});

test("a check that needs what an earlier one did not get was not tried; any other that throws has failed", async () => {
  const missing: number | undefined = undefined;
  const rows = [
    await rowOf("a", () => Promise.resolve("well")),
    await rowOf("b", async () => String(given(missing, "no a"))),
    await rowOf("c", () => Promise.reject(new Error("broken"))),
  ];
  expect(rows).toEqual([
    { what: "a", result: "holds", detail: "well" },
    { what: "b", result: "not tried", detail: "no a" },
    { what: "c", result: "FAILED", detail: "broken" },
  ]);
});
