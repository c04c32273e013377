import type { z } from "zod";
import type { schemas } from "./schemas.ts";

type Schemas = typeof schemas;
/** The names of what answers a request, and not of what is in a list. */
type AnswerName = Exclude<
  keyof Schemas,
  "Symbol" | "Window" | "ActivityStretch" | "ListedDeadLetter" | "Bar" | "Position" | "Alert"
>;

const start = 1_657_533_977_813;
const channel = (mean: number, std: number, min: number, max: number, rms: number): Statistics => ({
  mean,
  std,
  min,
  max,
  rms,
});
type Statistics = { mean: number; std: number; min: number; max: number; rms: number };

const session: z.input<Schemas["Session"]> = {
  sessionId: `s01-sw@${start}`,
  sensorId: "s01-sw",
  status: "ended",
  start,
  end: 1_657_533_989_120,
  samples: 1_183,
  revision: 0,
  activity: { WALKING: 9.25, STANDING: 2 },
  warnings: [],
  supersedes: [],
};

const sensor: z.input<Schemas["Sensor"]> = {
  sensorId: "s01-sw",
  firstSeen: start,
  lastSeen: 1_657_533_989_120,
  sessions: 1,
  samples: 1_183,
  rejected: 1,
};

const letter: z.input<Schemas["DeadLetterPage"]>["items"][number] = {
  id: "imu-data-all/3/1234/0",
  at: 1_657_533_990_004,
  code: "out-of-range",
  message: "sample 0, az is 981; m/s² (1 g is 9.80665 m/s²) are expected, from -320 to 320",
  stage: "processor",
  sensorId: "s01-sw",
  symbol: null,
  source: { topic: "imu-data-all", partition: 3, offset: 1_234 },
  mqttTopic: null,
  log: { partition: 3, offset: 17 },
  bytes: 71,
  contentType: "application/json",
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  advice: "Send m/s² (at most 320) and rad/s (at most 70), as finite numbers.",
};

const page = <T>(item: T): { items: T[]; next: string | null } => ({ items: [item], next: null });

/** An answer of each route, by the name of its schema: what one gets of a sensor with one session, and of a trade. */
export const answerExamples: { readonly [N in AnswerName]: z.input<Schemas[N]> } = {
  Root: {
    name: "millrace",
    version: "1.0.0",
    environment: "local",
    links: { self: "/", health: "/health", sessions: "/sessions", sensors: "/sensors", openapi: "/openapi.json" },
  },
  Health: {
    status: "ok",
    components: {
      kafka: { status: "ok", latencyMs: 4 },
      mongodb: { status: "ok", latencyMs: 2 },
      processor: { status: "ok", latencyMs: 6, lag: 12, watermarkLagMs: 1_730 },
    },
  },
  Session: session,
  SessionPage: page(session),
  Sensor: sensor,
  SensorPage: page(sensor),
  WindowPage: page({
    id: "imu-data-all/3/1234/0",
    sensorId: "s01-sw",
    operator: "tumbling-1000",
    window: { start: 1_657_533_978_000, end: 1_657_533_979_000 },
    revision: 0,
    cause: "watermark" as const,
    count: 104,
    channels: {
      ax: channel(0.412, 1.873, -3.91, 4.77, 1.918),
      ay: channel(-2.204, 0.951, -4.6, 0.13, 2.4),
      az: channel(9.331, 1.402, 5.02, 13.68, 9.436),
      gx: channel(0.011, 0.342, -0.88, 0.91, 0.342),
      gy: channel(-0.034, 0.287, -0.71, 0.66, 0.289),
      gz: channel(0.006, 0.415, -1.02, 1.11, 0.415),
      accMag: channel(9.82, 1.503, 5.91, 14.2, 9.934),
      gyroMag: channel(0.571, 0.194, 0.07, 1.3, 0.603),
    },
  }),
  ActivityPage: page({
    sensorId: "s01-sw",
    start: 1_657_533_977_750,
    end: 1_657_533_989_000,
    label: "WALKING",
    probabilities: { STANDING: 0.04, WALKING: 0.96 },
    inferences: 45,
    model: "activity 1.0.0",
  }),
  Features: {
    sensorId: "s01-sw",
    eventTime: 1_657_533_979_000,
    features: {
      window_start: 1_657_533_978_000,
      window_end: 1_657_533_979_000,
      revision: 0,
      count: 104,
      ax_mean: 0.412,
    },
  },
  DeadLetter: {
    ...letter,
    payload: {
      encoding: "text",
      content: '{"seq":17,"boot":"a1","t":[1657533977813],"samples":[[0,0,981,0,0,0]]}',
    },
    isCut: false,
  },
  DeadLetterPage: page(letter),
  SymbolPage: page({ symbol: "ACME", lastSeen: 1_768_314_645_123, lastClose: 150.25, trades: 42 }),
  BarPage: page({
    id: "market-trades/1/77/0",
    symbol: "ACME",
    operator: "tumbling-60000",
    window: { start: 1_768_314_600_000, end: 1_768_314_660_000 },
    revision: 0,
    cause: "watermark" as const,
    count: 2,
    pending: 0,
    cancelled: 0,
    open: 150,
    high: 150.25,
    low: 150,
    close: 150.25,
    volume: 50,
    vwap: 150.2,
    notional: { sum: 7_510, mean: 3_755, min: 1_500, max: 6_010 },
    firstTrade: 1_768_314_612_500,
    lastTrade: 1_768_314_645_123,
  }),
  SymbolFeatures: {
    symbol: "ACME",
    operators: [
      {
        operator: "tumbling-60000",
        eventTime: 1_768_314_660_000,
        features: { count: 2, close: 150.25, volume: 50, vwap: 150.2 },
      },
    ],
  },
  PositionPage: page({
    id: "market-trades/1/76/0",
    symbol: "ACME",
    account: "ACC-7",
    quantity: 40,
    notional: 6_010,
    trades: 1,
    revision: 0,
    timestamp: 1_768_314_645_123,
  }),
  AlertPage: page({
    id: "market-trades/1/76/0",
    symbol: "ACME",
    alertId: "ACME/TRX-123456/large-trade",
    rule: "large-trade",
    kind: "max-notional",
    severity: "HIGH" as const,
    status: "raised" as const,
    revision: 0,
    figure: 6_010,
    limit: 5_000,
    trade: {
      trade_id: "TRX-123456",
      timestamp: 1_768_314_645_123,
      price: 150.25,
      quantity: 40,
      amount: 6_010,
      currency: "USD",
      side: "buy" as const,
      account: "ACC-7",
      status: "executed" as const,
      amountUsd: 6_010,
    },
    reference: "2026-01-13",
  }),
  Ticket: { ticket: "yW5e2XGhZ0qkU3iTn8mQ4rLx7vBc1pDs9aFoJw6KzHE", expiresAt: 1_768_314_705_000 },
  OpenApi: { openapi: "3.1.0", info: { title: "Millrace", version: "1.0.0" }, paths: {} },
  Problem: {
    type: "urn:millrace:problem:not-found",
    title: "There is no such resource",
    status: 404,
    detail: "there is no sensor s02-sw",
    instance: "/sensors/s02-sw",
  },
};

/** What `/health` says while a component is down. */
export const downExample: z.input<Schemas["Health"]> = {
  status: "down",
  components: {
    kafka: { status: "ok", latencyMs: 4 },
    mongodb: { status: "down", detail: "no answer within 2000 ms", latencyMs: 2_000 },
    processor: { status: "ok", latencyMs: 6, lag: 12, watermarkLagMs: null },
  },
};
