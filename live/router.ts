import {
  samplesMessages,
  toMessage,
  type MarketRecord,
  type Message,
  type Samples,
  type SensorRecord,
} from "./messages.ts";
import type { SessionExtents } from "./session-extents.ts";
import type { Audience } from "./subscriptions.ts";

type Send = (connectionId: string, messages: readonly Message[]) => void;

/** Calls `send` for each of the connections of a symbol, with the message of its record. */
export function routeMarket(record: MarketRecord, connectionIds: readonly string[], send: Send): void {
  const messages = [toMessage(record)];
  for (const connectionId of connectionIds) send(connectionId, messages);
}

/** Calls `send` for each connection of an audience that gets a sensor's record, with the messages that it gets. */
export function route(record: SensorRecord, audience: Audience, extents: SessionExtents, send: Send): void {
  if (record.type === "samples") routeSamples(record.data, audience, extents, send);
  else routeWhole(record, audience, extents, send);
}

/** A session's connections get those rows of a transformed message that are within the session. */
function routeSamples(samples: Samples, audience: Audience, extents: SessionExtents, send: Send): void {
  const { t } = samples;
  let whole: Message[] | undefined;
  const messagesOf = (from: number, to: number): Message[] => {
    if (from > 0 || to < t.length) return samplesMessages(samples, from, to);
    return (whole ??= samplesMessages(samples, from, to));
  };
  for (const connectionId of audience.all) send(connectionId, messagesOf(0, t.length));
  for (const { sessionId, start, connectionIds } of audience.sessions) {
    const { from, to } = extents.rows(sessionId, start, t);
    if (from === to) continue;
    const messages = messagesOf(from, to);
    for (const connectionId of connectionIds) send(connectionId, messages);
  }
}

/**
 * A session's connections get the records of the session, and the windows and inferences that overlap it. What was
 * rejected is in no session.
 */
function routeWhole(
  record: Exclude<SensorRecord, { type: "samples" }>,
  audience: Audience,
  extents: SessionExtents,
  send: Send,
): void {
  const messages = [toMessage(record)];
  for (const connectionId of audience.all) send(connectionId, messages);
  if (record.type === "rejected") return;
  for (const { sessionId, start, connectionIds } of audience.sessions) {
    const within =
      record.type === "session"
        ? record.data.sessionId === sessionId || record.data.supersedes.includes(sessionId)
        : extents.overlaps(sessionId, start, record.data.window);
    if (within) for (const connectionId of connectionIds) send(connectionId, messages);
  }
}
