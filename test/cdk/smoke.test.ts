import { expect, test } from "@jest/globals";
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
