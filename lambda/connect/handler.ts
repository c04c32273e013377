import { webSocketClients, webSocketFunction } from "../shared/websocket.ts";
import { connectSubscriptions, type ConnectQuery } from "./subscriptions.ts";

const { log, connections } = webSocketClients("connect", process.env);

/** `$connect`: registers the connection; a wrong parameter refuses it with 400. */
export const handler = webSocketFunction(log, async (event) => {
  // The types of `$connect` events lack the query string that they have.
  const { subscriptions, problems } = connectSubscriptions(event as unknown as ConnectQuery);
  if (problems.length > 0) return { statusCode: 400, body: problems.join("; ") };
  await connections.add(event.requestContext.connectionId, subscriptions, Date.now());
  return { statusCode: 200 };
});
