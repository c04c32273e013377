import {
  MAX_SUBSCRIPTIONS,
  webSocketPing,
  webSocketRequest,
  type WebSocketAnswer,
  type WebSocketRequest,
} from "../../domain/api.ts";
import type { PipelineName } from "../../domain/pipelines.ts";
import { notHere, type Subscription } from "../shared/connections.ts";

/** A request to change a subscription, or the answer to a message that changes none. */
export type ParsedRequest =
  | { readonly ok: true; readonly action: WebSocketRequest["action"]; readonly subscription: Subscription }
  | { readonly ok: false; readonly answer: WebSocketAnswer };

/** Reads a message of a client. `running`: the pipelines of this environment. */
export function parseRequest(body: string | undefined, running: readonly PipelineName[]): ParsedRequest {
  const refuse = (why: string): ParsedRequest => ({
    ok: false,
    answer: {
      type: "error",
      code: "invalid-message",
      message:
        `${why}; send {"action":"subscribe"|"unsubscribe","sensorId":"…"} or "session" or "symbol" instead, ` +
        'or {"action":"ping"}',
    },
  });
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
  const { action, sensorId, session, symbol } = parsed.data;
  const subscription: Subscription =
    sensorId !== undefined
      ? { kind: "sensors", id: sensorId }
      : session !== undefined
        ? { kind: "sessions", id: session }
        : { kind: "symbols", id: symbol! };
  const missing = notHere(subscription.kind, running);
  return missing === null ? { ok: true, action, subscription } : refuse(missing);
}

/** The answer to a change that was made, or that was refused (`done` is false) as there are too many subscriptions. */
export function answerTo(
  action: WebSocketRequest["action"],
  { kind, id }: Subscription,
  done: boolean,
): WebSocketAnswer {
  if (!done)
    return {
      type: "error",
      code: "too-many-subscriptions",
      message:
        `a connection has at most ${MAX_SUBSCRIPTIONS} subscriptions of a kind; ` +
        "unsubscribe from some, or open another connection",
    };
  const type = action === "subscribe" ? "subscribed" : "unsubscribed";
  if (kind === "symbols") return { type, symbol: id };
  return kind === "sensors" ? { type, sensorId: id } : { type, session: id };
}
