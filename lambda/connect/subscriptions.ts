import { connectParameters, MAX_SUBSCRIPTIONS, TICKET_PARAMETER } from "../../domain/api.ts";
import type { PipelineName } from "../../domain/pipelines.ts";
import { notHere, type Subscription } from "../shared/connections.ts";

/** The query string of a WebSocket connect, as API Gateway gives it. */
export interface ConnectQuery {
  readonly queryStringParameters?: Readonly<Record<string, string | undefined>> | null;
  readonly multiValueQueryStringParameters?: Readonly<Record<string, readonly string[] | undefined>> | null;
}

/**
 * The subscriptions of `?sensorId=…`, `?session=…` and `?symbol=…`, each of which may be repeated, and what is wrong
 * with the query string. The ticket is the authorizer's.
 *
 * @param running The pipelines of this environment.
 */
export function connectSubscriptions(
  query: ConnectQuery,
  running: readonly PipelineName[],
): {
  readonly subscriptions: Subscription[];
  readonly problems: string[];
} {
  const subscriptions: Subscription[] = [];
  const problems = Object.keys(query.queryStringParameters ?? {})
    .filter((name) => !(name in connectParameters) && name !== TICKET_PARAMETER)
    .map((name) => `${name} is not a parameter here; there are ${Object.keys(connectParameters).join(", ")}`);
  for (const [name, kind] of [
    ["sensorId", "sensors"],
    ["session", "sessions"],
    ["symbol", "symbols"],
  ] as const) {
    const single = query.queryStringParameters?.[name];
    for (const id of query.multiValueQueryStringParameters?.[name] ?? (single === undefined ? [] : [single])) {
      const parsed = connectParameters[name].safeParse(id);
      const missing = notHere(kind, running);
      if (parsed.success && missing === null) subscriptions.push({ kind, id });
      else if (parsed.success) problems.push(`${name} is ${JSON.stringify(id)}: ${missing}`);
      else problems.push(`${name} is ${JSON.stringify(id)}: ${parsed.error.issues[0]!.message}`);
    }
  }
  if (subscriptions.length > MAX_SUBSCRIPTIONS)
    problems.push(`${subscriptions.length} subscriptions are more than ${MAX_SUBSCRIPTIONS}`);
  return { subscriptions, problems };
}
