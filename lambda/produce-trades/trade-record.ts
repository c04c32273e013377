import { SYMBOL, TRADE_DETAIL_TYPE } from "../../domain/market.ts";
import { contentTypes, headers } from "../../domain/topics.ts";
import { isTraceparent, newTraceparent, traceIdOf } from "../../domain/traceparent.ts";
import { parseVerbatim } from "../../domain/verbatim-json.ts";

/** A record for `market-trades`. */
export interface TradeRecord {
  /** The symbol; null where there is no valid one, so that the processor dead-letters the trade with the reason. */
  readonly key: string | null;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What the queue says of a message. */
export interface Receipt {
  /** When the platform got it, epoch ms. */
  readonly ingestMs: number;
  /** X-Ray's header, as EventBridge hands it on to a queue. */
  readonly traceHeader?: string | undefined;
  /** 24 random bytes, for ids of a trace where the event has none. */
  readonly random: Buffer;
}

const QUOTED_CHARACTERS = 200;

/**
 * The record of an EventBridge event. Only the envelope is checked. `detail` stays as it was sent, each number
 * included; an absent `trade_id` becomes the event's `id`, and an absent `timestamp` its `time`.
 *
 * @param body The event as JSON
 * @throws Error which says what is wrong with the envelope, and what was received
 */
export function tradeRecord(body: string, receipt: Receipt): TradeRecord {
  const event = envelope(body);
  const detail = {
    ...event.detail,
    ...(event.detail["trade_id"] === undefined ? { trade_id: event.id } : {}),
    ...(event.detail["timestamp"] === undefined ? { timestamp: event.time } : {}),
  };
  return recordOf(detail, { ...receipt, traceparent: event.detail["traceparent"] });
}

/** The record of a trade that is complete. */
export function recordOf(
  detail: Readonly<Record<string, unknown>>,
  { ingestMs, traceHeader, random, traceparent }: Receipt & { readonly traceparent?: unknown },
): TradeRecord {
  const symbol = detail["symbol"] ?? detail["ticker"];
  return {
    key: typeof symbol === "string" && SYMBOL.test(symbol) ? symbol : null,
    value: JSON.stringify(detail),
    headers: {
      [headers.contentType]: contentTypes.json,
      [headers.ingestMs]: String(ingestMs),
      [headers.traceparent]:
        typeof traceparent === "string" && isTraceparent(traceparent)
          ? traceparent
          : (fromTraceHeader(traceHeader, random) ?? newTraceparent(random)),
    },
  };
}

interface Envelope {
  readonly id: string;
  readonly time: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

function envelope(body: string): Envelope {
  let event: Record<string, unknown>;
  try {
    event = parseVerbatim(body) as Record<string, unknown>;
  } catch (cause) {
    throw new Error(`the body is not JSON: ${quoted(body)}`, { cause });
  }
  if (!isObject(event)) throw new Error(`the body is no EventBridge event: ${quoted(body)}`);
  const { id, time, detail, "detail-type": type } = event;
  if (type !== TRADE_DETAIL_TYPE)
    throw new Error(`"detail-type" is ${quoted(type)}; ${JSON.stringify(TRADE_DETAIL_TYPE)} is expected`);
  if (typeof id !== "string" || id === "") throw new Error(`"id" is ${quoted(id)}; a text is expected`);
  if (typeof time !== "string" || time === "") throw new Error(`"time" is ${quoted(time)}; a text is expected`);
  if (!isObject(detail)) throw new Error(`"detail" is ${quoted(detail)}; an object is expected`);
  return { id, time, detail };
}

/** Whether it is a JSON object. A number is one of no own name here, see `parseVerbatim`. */
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function quoted(value: unknown): string {
  return (JSON.stringify(value) ?? "absent").slice(0, QUOTED_CHARACTERS);
}

/** Root: version, epoch seconds (8 digits) and 24 digits, which together are the trace id of W3C Trace Context. */
const TRACE_HEADER = /^Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?:;|$)/i;

/** Id of the trace in X-Ray's header; null where it has none. */
export function traceIdOfHeader(header: string | undefined): string | null {
  return traceIdOf(fromTraceHeader(header, Buffer.alloc(24, 1)) ?? undefined);
}

/** The traceparent of X-Ray's header; null where it has no trace. Without a parent in it, the span gets a random id. */
function fromTraceHeader(header: string | undefined, random: Buffer): string | null {
  const root = TRACE_HEADER.exec(header ?? "");
  if (!root) return null;
  const parent = /;Parent=([0-9a-f]{16})(?:;|$)/i.exec(header!)?.[1] ?? random.toString("hex", 16, 24);
  const sampled = /;Sampled=0(?:;|$)/.test(header!) ? "00" : "01";
  const traceparent = `00-${root[1]}${root[2]}-${parent}-${sampled}`.toLowerCase();
  return isTraceparent(traceparent) ? traceparent : null;
}
