import { expect, test } from "@jest/globals";
import { health } from "../../domain/api.ts";
import { check, healthOf, type Check, type GroupState, type StoreState } from "../../lambda/read-health/health.ts";

const group = (state: Partial<GroupState> = {}): Check<GroupState> => ({
  ok: true,
  latencyMs: 3,
  value: { state: "Stable", members: 1, lag: 12, ...state },
});
const store = (newestWindowEnd: number | null = 9_000): Check<StoreState> => ({
  ok: true,
  latencyMs: 2,
  value: { newestWindowEnd },
});
const failed = { ok: false, error: "connect ECONNREFUSED", latencyMs: 4 } as const;

test("all is well", () => {
  const result = healthOf(group(), store(), 10_000);
  expect(health.parse(result)).toEqual(result);
  expect(result).toEqual({
    status: "ok",
    components: {
      kafka: { status: "ok", latencyMs: 3 },
      mongodb: { status: "ok", latencyMs: 2 },
      processor: { status: "ok", lag: 12, watermarkLagMs: 1_000 },
    },
  });
});

test("the market's processors are a component of their own, where they run", () => {
  expect(healthOf(group(), store(), 10_000, group({ lag: 0 })).components["market-processor"]).toEqual({
    status: "ok",
    lag: 0,
  });
  expect(healthOf(group(), store(), 10_000, group({ state: "Empty", members: 0, lag: 7 }))).toMatchObject({
    status: "down",
    components: { processor: { status: "ok" }, "market-processor": { status: "down", lag: 7 } },
  });
});

test.each([
  ["Kafka does not answer", failed, store(), "down", { kafka: "down", mongodb: "ok", processor: "down" }],
  ["MongoDB does not answer", group(), failed, "down", { kafka: "ok", mongodb: "down", processor: "ok" }],
  [
    "no processor runs",
    group({ state: "Empty", members: 0 }),
    store(),
    "down",
    { kafka: "ok", mongodb: "ok", processor: "down" },
  ],
  [
    "processors rebalance",
    group({ state: "PreparingRebalance" }),
    store(),
    "degraded",
    { kafka: "ok", mongodb: "ok", processor: "degraded" },
  ],
  [
    "the processor is behind",
    group({ lag: 10_001 }),
    store(),
    "degraded",
    { kafka: "ok", mongodb: "ok", processor: "degraded" },
  ],
  [
    "nothing was processed yet",
    group({ lag: null }),
    store(null),
    "ok",
    { kafka: "ok", mongodb: "ok", processor: "ok" },
  ],
] as const)("%s", (_, groupCheck, storeCheck, status, components) => {
  const result = healthOf(groupCheck, storeCheck, 10_000);
  expect(result.status).toBe(status);
  expect(
    Object.fromEntries(Object.entries(result.components).map(([name, component]) => [name, component.status])),
  ).toEqual(components);
});

test("a check that hangs fails at its limit", async () => {
  expect(await check(10, () => new Promise(() => undefined))).toMatchObject({
    ok: false,
    error: "no answer within 10 ms",
  });
  expect(await check(1_000, async () => 5)).toMatchObject({ ok: true, value: 5 });
});
