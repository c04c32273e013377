import { samplesMessages, toMessage, type LiveRecord, type Message } from "./messages.ts";
import type { SessionExtents } from "./session-extents.ts";
import type { Audience } from "./subscriptions.ts";

/** Gives each connection of an audience the messages that a record has for it. */
export function route(
  record: LiveRecord,
  audience: Audience,
  extents: SessionExtents,
  give: (connectionId: string, messages: readonly Message[]) => void,
): void {
  if (record.type === "samples") {
    const { t } = record.data;
    let whole: Message[] | undefined;
    if (audience.all.length > 0) {
      whole = samplesMessages(record.data, 0, t.length);
      for (const connectionId of audience.all) give(connectionId, whole);
    }
    for (const { sessionId, start, connectionIds } of audience.sessions) {
      const { from, to } = extents.rows(sessionId, start, t);
      if (from === to) continue;
      const messages =
        from === 0 && to === t.length
          ? (whole ??= samplesMessages(record.data, from, to))
          : samplesMessages(record.data, from, to);
      for (const connectionId of connectionIds) give(connectionId, messages);
    }
    return;
  }
  const messages = [toMessage(record)];
  for (const connectionId of audience.all) give(connectionId, messages);
  for (const { sessionId, start, connectionIds } of audience.sessions) {
    const within =
      record.type === "session"
        ? record.data.sessionId === sessionId || record.data.supersedes.includes(sessionId)
        : extents.overlaps(sessionId, start, record.data.window);
    if (within) for (const connectionId of connectionIds) give(connectionId, messages);
  }
}
