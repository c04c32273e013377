import { parseSessionId } from "./session-extents.ts";

/** A connection and what it has subscribed to. */
export interface ConnectionItem {
  readonly connectionId: string;
  readonly sensors: ReadonlySet<string>;
  readonly sessions: ReadonlySet<string>;
}

/** The connections that get data of one sensor. */
export interface Audience {
  /** Connections that get all of the sensor's data. */
  readonly all: readonly string[];
  /** Connections that get what is within one of the sensor's sessions. */
  readonly sessions: readonly SessionAudience[];
}

interface SessionAudience {
  readonly sessionId: string;
  /** Epoch ms. */
  readonly start: number;
  readonly connectionIds: readonly string[];
}

interface MutableAudience {
  readonly all: string[];
  readonly sessions: { sessionId: string; start: number; connectionIds: string[] }[];
}

/**
 * The audience of each sensor, by sensor id. A connection that gets all of a sensor's data is not among the audiences
 * of its sessions.
 */
export function audiences(items: Iterable<ConnectionItem>): Map<string, Audience> {
  const result = new Map<string, MutableAudience>();
  const audienceOf = (sensorId: string): MutableAudience => {
    let audience = result.get(sensorId);
    if (!audience) result.set(sensorId, (audience = { all: [], sessions: [] }));
    return audience;
  };
  for (const { connectionId, sensors, sessions } of items) {
    for (const sensorId of sensors) audienceOf(sensorId).all.push(connectionId);
    for (const sessionId of sessions) {
      const { sensorId, start } = parseSessionId(sessionId);
      if (sensors.has(sensorId)) continue;
      const known = audienceOf(sensorId).sessions.find((session) => session.sessionId === sessionId);
      if (known) known.connectionIds.push(connectionId);
      else audienceOf(sensorId).sessions.push({ sessionId, start, connectionIds: [connectionId] });
    }
  }
  return result;
}
