import type { ComponentHealth, Health } from "../../domain/api.ts";

/** The outcome of a check: what it found, or why it failed. */
export type Check<T> =
  | { readonly ok: true; readonly value: T; readonly latencyMs: number }
  | { readonly ok: false; readonly error: string; readonly latencyMs: number };

/** The processor's consumer group as the brokers describe it. */
export interface GroupState {
  /** Kafka's name of the group's state: Stable, PreparingRebalance, CompletingRebalance, Empty or Dead. */
  readonly state: string;
  readonly members: number;
  /** Records between the committed offsets and the end of the log; null when nothing was committed yet. */
  readonly lag: number | null;
}

/** The state of the store. */
export interface StoreState {
  /** End of the newest window, epoch ms; null when there is none. */
  readonly newestWindowEnd: number | null;
}

/** The processor is degraded above this lag, in records: a few seconds of a busy environment. */
const DEGRADED_LAG = 10_000;

/** Runs a check; it fails when it takes longer than `limitMs`. */
export async function check<T>(limitMs: number, run: () => Promise<T>): Promise<Check<T>> {
  const start = performance.now();
  const latency = (): number => Math.round(performance.now() - start);
  let timer: NodeJS.Timeout | undefined;
  try {
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
    });
    return { ok: true, value: await Promise.race([run(), timeout]), latencyMs: latency() };
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : String(error), latencyMs: latency() };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The health that the checks add up to: that of the worst component. The texts of errors are for the log only, as
 * anybody may read this.
 *
 * @param market The consumer group of the market's processors, where they run.
 */
export function healthOf(
  group: Check<GroupState>,
  store: Check<StoreState>,
  now: number,
  market?: Check<GroupState>,
): Health {
  const newest = store.ok ? store.value.newestWindowEnd : null;
  const watermarkLagMs = newest === null ? null : Math.max(0, now - newest);
  const components: Record<string, ComponentHealth> = {
    kafka: kafkaHealth(group),
    mongodb: storeHealth(store),
    processor: processorHealth(group, { watermarkLagMs }),
    ...(market ? { "market-processor": processorHealth(market, {}) } : {}),
  };
  const statuses = Object.values(components).map((component) => component.status);
  const worst = (["down", "degraded"] as const).find((status) => statuses.includes(status));
  return { status: worst ?? "ok", components };
}

function kafkaHealth(group: Check<GroupState>): ComponentHealth {
  return group.ok
    ? { status: "ok", latencyMs: group.latencyMs }
    : { status: "down", detail: "Kafka does not answer", latencyMs: group.latencyMs };
}

function storeHealth(store: Check<StoreState>): ComponentHealth {
  return store.ok
    ? { status: "ok", latencyMs: store.latencyMs }
    : { status: "down", detail: "MongoDB does not answer", latencyMs: store.latencyMs };
}

/** `more`: what else is known of the processors. */
function processorHealth(group: Check<GroupState>, more: Pick<ComponentHealth, "watermarkLagMs">): ComponentHealth {
  if (!group.ok) return { status: "down", detail: "its consumer group cannot be seen, as Kafka does not answer" };
  const { state, members, lag } = group.value;
  const measured = { ...(lag === null ? {} : { lag }), ...more };
  if (members === 0) return { status: "down", detail: `no processor is in its consumer group (${state})`, ...measured };
  if (state !== "Stable")
    return { status: "degraded", detail: `its consumer group is rebalancing (${state})`, ...measured };
  if ((lag ?? 0) > DEGRADED_LAG) return { status: "degraded", detail: `${lag} records are waiting`, ...measured };
  return { status: "ok", ...measured };
}
