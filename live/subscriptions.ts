import { parseSessionId } from "../domain/records.ts";
import { ALL_SENSORS } from "../domain/resume.ts";

/** A connection and what it has subscribed to. */
export interface ConnectionItem {
  readonly connectionId: string;
  /** `ALL_SENSORS` among them stands for all. */
  readonly sensors: ReadonlySet<string>;
  readonly sessions: ReadonlySet<string>;
  readonly symbols: ReadonlySet<string>;
  /** What it asks to be sent again: each a `Resume` as JSON. */
  readonly resumes: ReadonlySet<string>;
}

/** Who gets what. A symbol and a sensor may have the same name. */
export interface Audiences {
  readonly sensors: ReadonlyMap<string, Audience>;
  /** The audience of sensors that `sensors` does not have; null for nobody. */
  readonly ofOthers: Audience | null;
  /** Connections by symbol. */
  readonly symbols: ReadonlyMap<string, readonly string[]>;
}

export const noAudiences: Audiences = { sensors: new Map(), ofOthers: null, symbols: new Map() };

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
 * The audience of each sensor and symbol. A connection that gets all of a sensor's data is not among the audiences of
 * its sessions; one that gets all sensors is in the audience of each once.
 */
export function audiences(items: Iterable<ConnectionItem>): Audiences {
  const result = new Map<string, MutableAudience>();
  const bySymbol = new Map<string, string[]>();
  const everywhere: string[] = [];
  const audienceOf = (sensorId: string): MutableAudience => {
    let audience = result.get(sensorId);
    if (!audience) result.set(sensorId, (audience = { all: [], sessions: [] }));
    return audience;
  };
  for (const { connectionId, sensors, sessions, symbols } of items) {
    for (const symbol of symbols) {
      const known = bySymbol.get(symbol);
      if (known) known.push(connectionId);
      else bySymbol.set(symbol, [connectionId]);
    }
    if (sensors.has(ALL_SENSORS)) {
      everywhere.push(connectionId);
      continue;
    }
    for (const sensorId of sensors) audienceOf(sensorId).all.push(connectionId);
    for (const sessionId of sessions) {
      const { sensorId, start } = parseSessionId(sessionId);
      if (sensors.has(sensorId)) continue;
      const known = audienceOf(sensorId).sessions.find((session) => session.sessionId === sessionId);
      if (known) known.connectionIds.push(connectionId);
      else audienceOf(sensorId).sessions.push({ sessionId, start, connectionIds: [connectionId] });
    }
  }
  if (everywhere.length === 0) return { sensors: result, ofOthers: null, symbols: bySymbol };
  for (const { all } of result.values()) all.push(...everywhere);
  return { sensors: result, ofOthers: { all: everywhere, sessions: [] }, symbols: bySymbol };
}
