import { webSocketClients, webSocketFunction } from "../shared/websocket.ts";
import { connectSubscriptions, type ConnectQuery } from "./subscriptions.ts";

const { log, connections, pipelines } = webSocketClients("connect", process.env);

/** `$connect`: registers the connection. Wrong parameters are answered 400, which refuses the connection. */
export const handler = webSocketFunction(log, async (event) => {
  // The type of the event has no query string, which `$connect` events have.
  const { subscriptions, problems } = connectSubscriptions(event as unknown as ConnectQuery, pipelines);
  if (problems.length > 0) return { statusCode: 400, body: problems.join("; ") };
  await connections.add(event.requestContext.connectionId, subscriptions, Date.now());
  return { statusCode: 200 };
});
