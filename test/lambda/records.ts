import { windowChannels } from "../../domain/imu.ts";

/** Records of the derived topics, as the processor writes them. */
export function started(
  sensorId: string,
  start: number,
  options: { offset?: number; supersedes?: string[] } = {},
): Record<string, unknown> {
  const { offset = 0, supersedes = [] } = options;
  return {
    id: `imu-data-all/0/${offset}/0`,
    schema: 1,
    type: "started",
    sessionId: `${sensorId}@${start}`,
    sensorId,
    start,
    supersedes,
  };
}

export function ended(
  sensorId: string,
  start: number,
  end: number,
  samples: number,
  options: {
    offset?: number;
    revision?: number;
    supersedes?: string[];
    activity?: Record<string, number>;
    warnings?: string[];
  } = {},
): Record<string, unknown> {
  const { offset = 0, revision = 0, supersedes = [], activity, warnings } = options;
  return {
    id: `imu-data-all/0/${offset}/0`,
    schema: 1,
    type: "ended",
    sessionId: `${sensorId}@${start}`,
    sensorId,
    start,
    end,
    samples,
    revision,
    cause: "watermark",
    supersedes,
    ...(activity ? { activity } : {}),
    ...(warnings ? { warnings } : {}),
  };
}

export function windowed(
  sensorId: string,
  start: number,
  options: { offset?: number; revision?: number; count?: number; lengthMs?: number } = {},
): Record<string, unknown> {
  const { offset = 0, revision = 0, count = 100, lengthMs = 1_000 } = options;
  const channels = Object.fromEntries(
    windowChannels.map((name, i) => [name, { mean: i + 0.5, std: 0.25, min: i, max: i + 1, rms: i + 0.6 }]),
  );
  return {
    id: `imu-data-all/0/${offset}/0`,
    schema: 1,
    sensorId,
    operator: `tumbling-${lengthMs}`,
    window: { start, end: start + lengthMs },
    revision,
    cause: revision === 0 ? "watermark" : "late",
    count,
    channels,
  };
}

/** An inference record of one hop; `label: null` is what a model gives that has no finite number. */
export function inferred(
  sensorId: string,
  start: number,
  options: {
    offset?: number;
    id?: string;
    label?: string | null;
    probabilities?: Record<string, number>;
    version?: string;
    shadow?: string | null;
  } = {},
): Record<string, unknown> {
  const { offset = 0, label = "WALKING", version = "3", shadow } = options;
  return {
    id: options.id ?? `imu-data-all/0/${offset}/0`,
    schema: 1,
    sensorId,
    window: { start, end: start + 250 },
    model: { name: "activity", version },
    label,
    probabilities: label === null ? null : (options.probabilities ?? { WALKING: 0.75, SITTING: 0.25 }),
    ...(shadow === undefined
      ? {}
      : { shadow: { model: { name: "activity", version: "4" }, label: shadow, agrees: shadow === label } }),
  };
}

/** A bar of two trades: 10 at 150, and 20 at 152.25. */
export function barred(
  symbol: string,
  start: number,
  options: {
    offset?: number;
    revision?: number;
    count?: number;
    cancelled?: number;
    close?: number | null;
    windowMs?: number;
    slideMs?: number;
  } = {},
): Record<string, unknown> {
  const { offset = 0, revision = 0, count = 2, cancelled = 0, close = 152.25, windowMs = 60_000, slideMs } = options;
  return {
    id: `market-trades/0/${offset}/0`,
    schema: 1,
    symbol,
    operator: slideMs === undefined ? `tumbling-${windowMs}` : `sliding-${windowMs}-${slideMs}`,
    window: { start, end: start + windowMs },
    revision,
    cause: revision === 0 ? "watermark" : "late",
    count,
    pending: 0,
    cancelled,
    open: 150,
    high: 152.25,
    low: 150,
    close,
    volume: 30,
    vwap: 151.5,
    notional: { sum: 4_545, mean: 2_272.5, min: 1_500, max: 3_045 },
    firstTrade: start + 1_000,
    lastTrade: start + 10_000,
  };
}

/** The position of an account after a trade. */
export function positioned(
  symbol: string,
  account: string,
  revision: number,
  options: { offset?: number; quantity?: number; timestamp?: number } = {},
): Record<string, unknown> {
  const { offset = 0, quantity = 40, timestamp = 1_657_533_977_813 } = options;
  return {
    id: `market-trades/0/${offset}/0`,
    schema: 1,
    symbol,
    account,
    quantity,
    notional: quantity * 150.25,
    trades: revision + 1,
    revision,
    timestamp,
  };
}

/** An alert about a trade of 40 at 150.25; the trade is cancelled where the alert is withdrawn. */
export function alerted(
  symbol: string,
  timestamp: number,
  options: { offset?: number; tradeId?: string; status?: "raised" | "withdrawn"; severity?: string } = {},
): Record<string, unknown> {
  const { offset = 0, tradeId = "T-1", status = "raised", severity = "HIGH" } = options;
  return {
    id: `market-trades/0/${offset}/0`,
    schema: 1,
    symbol,
    alertId: `${symbol}/${tradeId}/large-trade`,
    rule: "large-trade",
    kind: "trade-amount",
    severity,
    status,
    revision: status === "raised" ? 0 : 1,
    figure: 6_010,
    limit: 5_000,
    trade: {
      trade_id: tradeId,
      timestamp,
      price: 150.25,
      quantity: 40,
      amount: 6_010,
      currency: "USD",
      side: "buy",
      account: "ACC-7",
      status: status === "raised" ? "executed" : "cancelled",
      amountUsd: 6_010,
    },
    reference: "2022-07",
  };
}

/** A trade as `market-enriched` has it. */
export function enriched(
  symbol: string,
  timestamp: number,
  options: { offset?: number } = {},
): Record<string, unknown> {
  const { offset = 0 } = options;
  return {
    id: `market-trades/0/${offset}/0`,
    schema: 1,
    symbol,
    trade_id: `T-${offset}`,
    timestamp,
    price: 150.25,
    quantity: 40,
    amount: 6_010,
    currency: "USD",
    side: "buy",
    account: "ACC-7",
    status: "executed",
    amountUsd: 6_010,
    flags: [],
    reference: null,
  };
}
