import { parseSessionId } from "./session-extents.ts";

/** A connection and what it has subscribed to. */
export interface ConnectionItem {
  readonly connectionId: string;
  readonly sensors: ReadonlySet<string>;
  readonly sessions: ReadonlySet<string>;
}

/** Who wants a sensor's data: all of it, or what is within a session. */
export interface Audience {
  readonly all: readonly string[];
  readonly sessions: readonly {
    readonly sessionId: string;
    readonly start: number;
    readonly connectionIds: readonly string[];
  }[];
}

/**
 * Turns the connections round: sensor id to its audience. A connection that has all of a sensor is not in its sessions
 * too.
 */
export function audiences(items: Iterable<ConnectionItem>): Map<string, Audience> {
  const result = new Map<
    string,
    { all: string[]; sessions: { sessionId: string; start: number; connectionIds: string[] }[] }
  >();
  const of = (
    sensorId: string,
  ): { all: string[]; sessions: { sessionId: string; start: number; connectionIds: string[] }[] } => {
    let audience = result.get(sensorId);
    if (!audience) result.set(sensorId, (audience = { all: [], sessions: [] }));
    return audience;
  };
  for (const { connectionId, sensors, sessions } of items) {
    for (const sensorId of sensors) of(sensorId).all.push(connectionId);
    for (const sessionId of sessions) {
      const { sensorId, start } = parseSessionId(sessionId);
      if (sensors.has(sensorId)) continue;
      const known = of(sensorId).sessions.find((session) => session.sessionId === sessionId);
      if (known) known.connectionIds.push(connectionId);
      else of(sensorId).sessions.push({ sessionId, start, connectionIds: [connectionId] });
    }
  }
  return result;
}
