import { z } from "zod";
import { deadLetterCodes } from "./errors.ts";
import { codePoints, SENSOR_ID } from "./imu.ts";
import { barOperators, SYMBOL, tradeLimits } from "./market.ts";
import { cause, channelStatistics, outputRecords, windowRecord } from "./records.ts";
import {
  ALL_SENSORS,
  MAX_RESUME_IDS,
  resumePositionOf,
  resumeTypes,
  SENSOR_RECORD_ID,
  type ResumeType,
} from "./resume.ts";
import { topics } from "./topics.ts";

export * from "./routes.ts";

/** Version of the REST and WebSocket API. */
export const API_VERSION = "1.0.0";

/** Items in a page of a list. */
export const pageLimits = { default: 100, max: 1_000 } as const;
/** Characters of a request's path and query, at most. */
export const MAX_URL_LENGTH = 4_096;
/** Headers that a page of another origin may send. */
export const ALLOWED_HEADERS = ["authorization", "content-type", "if-none-match"] as const;
/** Sensors in the list of active ones, at most. */
export const ACTIVE_SENSORS = 200;

// ---- What the REST API answers ----

const epochMs = z.number().describe("epoch milliseconds, event time");

export const session = z.object({
  sessionId: z.string().describe("sensor and first sample's time: `<sensorId>@<start>`"),
  sensorId: z.string(),
  status: z.enum(["open", "ended"]).describe("`open` until it has ended once"),
  start: epochMs.describe("first sample, epoch ms"),
  end: epochMs.nullable().describe("last sample, epoch ms; null while open"),
  samples: z.int().nullable().describe("readings in the session; null while open"),
  revision: z.int().nullable().describe("0 for the first end, and one more for each correction; null while open"),
  activity: z
    .record(z.string(), z.number())
    .optional()
    .describe("seconds per recognised activity, where a model scores"),
  warnings: z
    .array(z.object({ code: z.string(), message: z.string().describe("what is odd, and what is expected") }))
    .describe("what is odd about its readings; empty while open"),
  supersedes: z
    .array(z.string())
    .describe("ids of earlier sessions that this one has swallowed, sorted; they are no longer listed"),
});
export type Session = z.infer<typeof session>;

export const sensor = z.object({
  sensorId: z.string(),
  firstSeen: epochMs.describe("no later than its first sample's window, epoch ms"),
  lastSeen: epochMs.describe("newest event time that is known from its windows and sessions, epoch ms"),
  sessions: z.int().describe("sessions that are listed"),
  samples: z.int().describe("readings in its sessions that have ended"),
  rejected: z.int().describe("messages of it that were refused, see `/dead-letters`"),
});
export type Sensor = z.infer<typeof sensor>;

export const sensorWindow = z.object({
  id: z.string().describe("id of the record that this is the newest revision of"),
  sensorId: z.string(),
  operator: z.string().describe("such as tumbling-1000"),
  window: windowRecord.shape.window.describe("[start, end), epoch ms"),
  revision: z.int(),
  cause,
  count: z.int(),
  channels: z.record(z.string(), channelStatistics),
});
export type SensorWindow = z.infer<typeof sensorWindow>;

export const activityStretch = z.object({
  sensorId: z.string(),
  start: epochMs.describe("start of its first inference, epoch ms"),
  end: epochMs.describe("end of its last inference, epoch ms"),
  label: z.string().nullable().describe("null where the model gave no finite number"),
  probabilities: z
    .record(z.string(), z.number())
    .nullable()
    .describe("mean of its inferences, per label; null where the label is"),
  inferences: z.int().describe("inferences in it: they follow one another, of this label and model"),
  model: z.string().describe("name and version of the model"),
});
export type ActivityStretch = z.infer<typeof activityStretch>;

export const sensorFeatures = z.object({
  sensorId: z.string(),
  eventTime: epochMs.describe("end of the window they describe plus its revision × 1 µs, epoch ms"),
  features: z.record(z.string(), z.union([z.number(), z.string()])),
});
export type SensorFeatures = z.infer<typeof sensorFeatures>;

const place = z.object({ partition: z.int(), offset: z.int() });

/** A dead letter without its payload. */
export const listedDeadLetter = z.object({
  id: z.string().describe("its source's id with `/0`; a hash where the bridge has made it"),
  at: z.number().describe("when it was written, epoch ms"),
  code: z.string().describe("why the record was refused, such as invalid-json"),
  message: z.string(),
  stage: z.string().describe("what refused it"),
  sensorId: z.string().nullable().describe("null where it is not about a sensor, or names none by a valid id"),
  symbol: z.string().nullable().describe("null where it is not about a symbol, or names none by a valid name"),
  source: place
    .extend({ topic: z.string() })
    .nullable()
    .describe("the record that was refused; null where the bridge has refused a message"),
  mqttTopic: z.string().nullable().describe("where the bridge has refused a message: its MQTT topic, as received"),
  log: place.describe("where the letter is in the topic dead-letter"),
  bytes: z.int().nullable().describe("bytes of the whole payload; null where there is none"),
  contentType: z.string().nullable(),
  traceparent: z.string().nullable(),
  advice: z.string().nullable().describe("what the sender can do; null where the code is unknown"),
});
export type ListedDeadLetter = z.infer<typeof listedDeadLetter>;

export const deadLetter = listedDeadLetter.extend({
  payload: z
    .object({ encoding: z.enum(["text", "base64"]), content: z.string() })
    .nullable()
    .describe("as received: text where it is UTF-8; its first 32 KB where `isCut`"),
  isCut: z.boolean().describe("whether the payload has more; the log and the lake have all of it"),
});
export type DeadLetter = z.infer<typeof deadLetter>;

/** A symbol of the market, and what its newest bars say. */
export const marketSymbol = z.object({
  symbol: z.string(),
  lastSeen: epochMs.describe("newest event time that is known of it, epoch ms"),
  lastClose: z.number().nullable().describe("close of its newest bar of a minute; null where that has no price"),
  trades: z.int().nullable().describe("executed trades of its newest bar of five minutes; null before the first"),
});
export type MarketSymbol = z.infer<typeof marketSymbol>;

export const bar = outputRecords.marketAggregated.omit({ schema: true });
export type Bar = z.infer<typeof bar>;

export const symbolFeatures = z.object({
  symbol: z.string(),
  operators: z.array(
    z.object({
      operator: z.string().describe("window operator, such as tumbling-60000"),
      eventTime: epochMs.describe("end of the bar they describe plus its revision × 1 µs, epoch ms"),
      features: z.record(z.string(), z.union([z.number(), z.string()])).describe("what is not known is left out"),
    }),
  ),
});
export type SymbolFeatures = z.infer<typeof symbolFeatures>;

export const position = outputRecords.marketPositions.omit({ schema: true });
export type AccountPosition = z.infer<typeof position>;

export const alert = outputRecords.marketAlerts.omit({ schema: true });
export type Alert = z.infer<typeof alert>;

export const status = z.enum(["ok", "degraded", "down"]);
const componentHealth = z.object({
  status,
  detail: z.string().optional(),
  latencyMs: z.number().optional().describe("how long the check took"),
  lag: z.int().optional().describe("records not yet processed, by offsets that are up to 10 s old"),
  watermarkLagMs: z
    .number()
    .nullable()
    .optional()
    .describe("wall clock less the newest window's end; null when there is none"),
});
export type ComponentHealth = z.infer<typeof componentHealth>;
export const health = z.object({ status, components: z.record(z.string(), componentHealth) });
export type Health = z.infer<typeof health>;

export const root = z.object({
  name: z.literal("millrace"),
  version: z.string(),
  environment: z.string(),
  links: z.record(z.string(), z.string()),
});
export type Root = z.infer<typeof root>;

/** Lets a browser open one WebSocket connection. */
export const ticket = z.object({
  ticket: z.string().describe("for `?ticket=…` of the WebSocket's address; it works once"),
  expiresAt: z.number().describe("until when, epoch ms"),
});
export type Ticket = z.infer<typeof ticket>;

/** A page of a list, newest first; `next` is the cursor of the following page. */
export function page<T extends z.ZodType>(
  item: T,
): z.ZodObject<{ items: z.ZodArray<T>; next: z.ZodNullable<z.ZodString> }> {
  return z.object({
    items: z.array(item),
    next: z.string().nullable().describe("`cursor` of the next page; null on the last one"),
  });
}

// ---- Errors: RFC 9457 problem details ----

/** Kinds of problem: `type` is `urn:millrace:problem:<code>`. */
export const problems = {
  "invalid-request": {
    status: 400,
    title: "Parameters of the request are wrong",
    doc: "`errors` lists every wrong parameter.",
  },
  unauthorized: {
    status: 401,
    title: "There is no valid token",
    doc: "API Gateway answers it where the environment has an issuer: send `Authorization: Bearer …`.",
  },
  "not-found": {
    status: 404,
    title: "There is no such resource",
    doc: "The path, or the thing that it names, does not exist.",
  },
  "method-not-allowed": {
    status: 405,
    title: "The resource does not have this method",
    doc: "The header `Allow` lists the methods it has.",
  },
  "uri-too-long": {
    status: 414,
    title: "The URL is too long",
    doc: `Path and query have at most ${MAX_URL_LENGTH.toLocaleString("en")} characters.`,
  },
  "too-many-requests": {
    status: 429,
    title: "There are too many requests",
    doc: "API Gateway answers it: wait, then try again.",
  },
  "headers-too-large": {
    status: 431,
    title: "The request's header is too large",
    doc: "Request line and headers have at most 10,240 bytes on AWS, and 16 KB locally.",
  },
  "internal-error": {
    status: 500,
    title: "Millrace failed on this request",
    doc: "The log has the cause under the request's id.",
  },
  unavailable: {
    status: 503,
    title: "A component that this needs does not answer",
    doc: "Try again; `GET /health` says which one.",
  },
} as const satisfies Record<string, { status: number; title: string; doc: string }>;
export type ProblemCode = keyof typeof problems;
export const PROBLEM_TYPE_PREFIX = "urn:millrace:problem:";
export const PROBLEM_CONTENT_TYPE = "application/problem+json";

export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
  instance: z.string().optional().describe("the request's path"),
  errors: z
    .array(z.object({ in: z.enum(["query", "path"]), name: z.string(), received: z.string(), message: z.string() }))
    .optional(),
});
export type Problem = z.infer<typeof problem>;

// ---- What the REST API is asked ----

const sensorIdParameter = z.string().regex(SENSOR_ID, "must be 1 to 128 of A-Z a-z 0-9 : _ -");
const sessionIdParameter = z
  .string()
  .regex(/^[A-Za-z0-9:_-]{1,128}@-?\d+(\.\d+)?(e[+-]?\d+)?$/, "must be <sensorId>@<start in epoch ms>");
/** Epoch milliseconds, or a date or time of ISO 8601. */
const INSTANT = new RegExp(
  String.raw`^(-?\d{1,15}(\.\d{1,9})?|\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])` +
    String.raw`(T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d))?)$`,
);
const instant = z
  .string()
  .regex(INSTANT, "must be epoch milliseconds, or ISO 8601 with a time zone such as 2026-07-11T10:06:17.813Z")
  .transform((text): number => (/^-?[\d.]+$/.test(text) ? Number(text) : Date.parse(text)));
const interval = {
  from: instant.optional().describe("only what overlaps [from, to): epoch ms or ISO 8601"),
  to: instant.optional().describe("only what overlaps [from, to): epoch ms or ISO 8601"),
};
const paging = {
  limit: z
    .string()
    .regex(/^\d{1,9}$/, `must be a whole number from 1 to ${pageLimits.max}`)
    .transform(Number)
    .pipe(
      z
        .number()
        .min(1, `must be from 1 to ${pageLimits.max}`)
        .max(pageLimits.max, `must be from 1 to ${pageLimits.max}`),
    )
    .meta({ type: "integer", minimum: 1, maximum: pageLimits.max, default: pageLimits.default })
    .optional()
    .describe(`items in a page, 1 to ${pageLimits.max}; ${pageLimits.default} when absent`),
  cursor: z.string().optional().describe("`next` of the page before, with the same other parameters"),
};

const codeList = Object.keys(deadLetterCodes).join(", ");
const symbolParameter = z.string().regex(SYMBOL, "must be 1 to 32 of A-Z 0-9 . : _ -");
const [defaultBarOperator] = barOperators;

/** Query parameters per list; unknown ones are refused. */
export const queries = {
  none: z.strictObject({}),
  sessions: z.strictObject({
    sensorId: sensorIdParameter.optional().describe("only this sensor's sessions"),
    ...interval,
    status: z.enum(["open", "ended"], "must be open or ended").optional(),
    ...paging,
  }),
  sensors: z
    .strictObject({
      q: z
        .string()
        .regex(/^[A-Za-z0-9:_-]{1,128}$/, "must be 1 to 128 of A-Z a-z 0-9 : _ -")
        .optional()
        .describe("only sensors whose id contains this"),
      active: z
        .enum(["", "true"], "must be true, or without a value")
        .optional()
        .describe(`the ${ACTIVE_SENSORS} that were heard last, without further pages`),
      ...paging,
    })
    .refine(({ active, cursor }) => active === undefined || cursor === undefined, {
      path: ["cursor"],
      message: "is of another list: active has one page",
    }),
  deadLetters: z.strictObject({
    sensorId: sensorIdParameter.optional().describe("only dead letters of this sensor"),
    code: z
      .enum(Object.keys(deadLetterCodes) as [string, ...string[]], `must be one of ${codeList}`)
      .optional()
      .describe("only dead letters with this code"),
    from: instant.optional().describe("only what was written in [from, to): epoch ms or ISO 8601"),
    to: instant.optional().describe("only what was written in [from, to): epoch ms or ISO 8601"),
    ...paging,
  }),
  windows: z.strictObject({ ...interval, ...paging }),
  activity: z.strictObject({ ...interval, ...paging }),
  symbols: z.strictObject(paging),
  bars: z.strictObject({
    operator: z
      .enum(barOperators as [string, ...string[]], `must be ${barOperators.join(" or ")}`)
      .optional()
      .describe(`window operator; ${defaultBarOperator} when absent`),
    ...interval,
    ...paging,
  }),
  positions: z
    .strictObject({
      account: z
        .string()
        .refine(
          (account) => account !== "" && codePoints(account) <= tradeLimits.accountLength,
          `must be 1 to ${tradeLimits.accountLength} characters`,
        )
        .meta({ minLength: 1, maxLength: tradeLimits.accountLength })
        .optional()
        .describe("only positions of this account; it or a symbol is needed"),
      symbol: symbolParameter.optional().describe("only positions in this symbol; it or an account is needed"),
      ...paging,
    })
    .refine(({ account, symbol }) => account !== undefined || symbol !== undefined, {
      path: ["account"],
      message: "account or symbol is needed, as in account=ACC-7",
    }),
  alerts: z.strictObject({
    symbol: symbolParameter.optional().describe("only alerts of this symbol"),
    from: instant.optional().describe("only trades of [from, to): epoch ms or ISO 8601"),
    to: instant.optional().describe("only trades of [from, to): epoch ms or ISO 8601"),
    status: z.enum(["raised", "withdrawn"], "must be raised or withdrawn").optional(),
    ...paging,
  }),
};
export const pathParameters = {
  sensorId: sensorIdParameter,
  sessionId: sessionIdParameter,
  symbol: symbolParameter,
  letterId: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9~._/:=+-]{0,511}$/, "must be the id of a dead letter"),
} as const;

// ---- WebSocket ----

/** Asks whether the connection is alive: answered by `{"type":"pong"}`. */
export const webSocketPing = z.strictObject({ action: z.literal("ping") });

const recordIdParameter = z
  .string()
  .regex(SENSOR_RECORD_ID, `must be the id of a record: ${topics.imuData.name}/<partition>/<offset>/<n>`);
const resumeIds = z.preprocess(
  (ids) => (typeof ids === "string" ? [ids] : ids),
  z
    .array(recordIdParameter)
    .min(1, "needs an id")
    .max(MAX_RESUME_IDS, `has more than ${MAX_RESUME_IDS} ids`)
    .refine((ids) => new Set(ids.map((id) => resumePositionOf(id)?.partition)).size === ids.length, {
      message: "has two ids of a partition",
    }),
);

/** Says what there is, where something else is asked for. */
function onlyNames(names: readonly string[]): { error: z.core.$ZodErrorMap } {
  return {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? `has ${issue.keys.join(", ")}, which is unknown; there are ${names.join(", ")}`
        : undefined,
  };
}

/** The last ids that a client has, of one partition or of several. */
const resumeShape = { window: resumeIds, session: resumeIds, inference: resumeIds } satisfies Record<
  ResumeType,
  unknown
>;
const webSocketResume = z
  .strictObject(resumeShape, onlyNames(resumeTypes))
  .partial()
  .refine((ids) => Object.keys(ids).length > 0, { message: `needs an id of ${resumeTypes.join(", ")}` });

const requestShape = {
  action: z.enum(["subscribe", "unsubscribe"]),
  sensorId: z.union([z.literal(ALL_SENSORS), sensorIdParameter]).optional(),
  session: sessionIdParameter.optional(),
  symbol: symbolParameter.optional(),
  resume: webSocketResume.optional(),
};

/** What a client sends otherwise. Exactly one of `sensorId`, `session` and `symbol`; `*` are all sensors. */
export const webSocketRequest = z
  .strictObject(requestShape, onlyNames(Object.keys(requestShape)))
  .refine(
    ({ sensorId, session, symbol }) => [sensorId, session, symbol].filter((id) => id !== undefined).length === 1,
    { message: "needs exactly one of sensorId, session and symbol" },
  )
  .refine(({ action, sensorId, resume }) => !resume || (action === "subscribe" && sensorId !== undefined), {
    message: "has resume, which only subscribe with sensorId takes",
  });
export type WebSocketRequest = z.infer<typeof webSocketRequest>;

/** What a client may subscribe to when it connects: `?sensorId=…`, `?session=…` and `?symbol=…`, each repeatable. */
export const connectParameters = {
  sensorId: sensorIdParameter,
  session: sessionIdParameter,
  symbol: symbolParameter,
} as const;
/** What a page gives instead of a header with its token, where an environment has an authorizer. */
export const TICKET_PARAMETER = "ticket";
/** Subscriptions of one connection, at most, of each kind. */
export const MAX_SUBSCRIPTIONS = 1_000;

/** Bytes of messages that share a frame, at most: a little under API Gateway's 32 KB. */
export const MAX_FRAME_BYTES = 32_000;
/** Bytes of a message, at most. API Gateway sends one above 32 KB in several frames. */
export const MAX_MESSAGE_BYTES = 128 * 1_024;

// ---- Kafka event source mapping ----

/** What a function behind a Kafka event source answers: the offset to resume from, per partition that failed. */
export interface BatchResponse {
  /** `partition` is `<topic>-<partition number>`. The lowest offset of a partition counts. */
  readonly batchItemFailures: readonly {
    readonly itemIdentifier: { readonly partition: string; readonly offset: number };
  }[];
}
