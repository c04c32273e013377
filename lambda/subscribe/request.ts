import {
  MAX_FRAME_BYTES,
  MAX_SUBSCRIPTIONS,
  webSocketPing,
  webSocketRequest,
  type WebSocketRequest,
} from "../../domain/api.ts";
import type { WebSocketAnswer } from "../../domain/live-messages.ts";
import type { PipelineName } from "../../domain/pipelines.ts";
import { ALL_SENSORS, MAX_RESUMES, resumesOf, type Resume } from "../../domain/resume.ts";
import { notHere, type Connections, type Subscription } from "../shared/connections.ts";

/** A request to change a subscription, or the answer to a message that changes none. */
export type ParsedRequest =
  | {
      readonly ok: true;
      readonly action: WebSocketRequest["action"];
      readonly subscription: Subscription;
      /** What the client asks to be sent again. */
      readonly resumes: readonly Resume[];
    }
  | { readonly ok: false; readonly answer: WebSocketAnswer };

/** Who sends a message, and where. */
export interface RequestContext {
  /** The pipelines of this environment. */
  readonly running: readonly PipelineName[];
  readonly isOperator: boolean;
  readonly requestId: string;
}

/** Characters of what is wrong with a message, at most: it may name much of the message. */
const MOST_WRONG = 1_000;

/** Reads a message of a client. */
export function parseRequest(
  body: string | undefined,
  { running, isOperator, requestId }: RequestContext,
): ParsedRequest {
  const refuse = (why: string): ParsedRequest => ({
    ok: false,
    answer: {
      type: "error",
      code: "invalid-message",
      message:
        `${why.slice(0, MOST_WRONG)}; send {"action":"subscribe"|"unsubscribe","sensorId":"…"} or "session" or ` +
        '"symbol" instead, or {"action":"ping"}',
    },
  });
  const bytes = Buffer.byteLength(body ?? "");
  if (bytes > MAX_FRAME_BYTES) return refuse(`the message has ${bytes} bytes, more than ${MAX_FRAME_BYTES}`);
  let json: unknown;
  try {
    json = JSON.parse(body ?? "");
  } catch {
    return refuse("the message is not JSON");
  }
  if (webSocketPing.safeParse(json).success) return { ok: false, answer: { type: "pong" } };
  const parsed = webSocketRequest.safeParse(json);
  if (!parsed.success)
    return refuse(
      parsed.error.issues
        .map(({ path, message }) => (path.length > 0 ? `${path.join(".")}: ${message}` : `the message ${message}`))
        .join("; "),
    );
  const { action, sensorId, session, symbol, resume = {} } = parsed.data;
  if (action === "subscribe" && sensorId === ALL_SENSORS && !isOperator) return { ok: false, answer: operatorsOnly };
  const subscription: Subscription =
    sensorId !== undefined
      ? { kind: "sensors", id: sensorId }
      : session !== undefined
        ? { kind: "sessions", id: session }
        : { kind: "symbols", id: symbol! };
  const missing = notHere(subscription.kind, running);
  if (missing !== null) return refuse(missing);
  return { ok: true, action, subscription, resumes: resumesOf(requestId, subscription.id, resume) };
}

const operatorsOnly: WebSocketAnswer = {
  type: "error",
  code: "operators-only",
  message: "all sensors are for operators: subscribe to each sensor, or sign in as an operator and connect again",
};

/** The answer to a change that was made, or to a subscription that there are too many for. */
export function answerTo(
  action: WebSocketRequest["action"],
  { kind, id }: Subscription,
  outcome: Awaited<ReturnType<Connections["subscribe"]>>,
): WebSocketAnswer {
  if (outcome !== "done") return { type: "error", code: outcome, message: tooMany[outcome] };
  const type = action === "subscribe" ? "subscribed" : "unsubscribed";
  if (kind === "symbols") return { type, symbol: id };
  return kind === "sensors" ? { type, sensorId: id } : { type, session: id };
}

const tooMany = {
  "too-many-subscriptions":
    `a connection has at most ${MAX_SUBSCRIPTIONS} subscriptions of a kind; ` +
    "unsubscribe from some, or open another connection",
  "too-many-resumes":
    `a connection waits for at most ${MAX_RESUMES} partitions of sensors at a time; ` +
    "wait for a message of the type resumed, then subscribe again",
} as const;
