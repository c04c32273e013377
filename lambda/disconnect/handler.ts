import { webSocketClients, webSocketFunction } from "../shared/websocket.ts";

const { log, connections } = webSocketClients("disconnect", process.env);

/** `$disconnect`: removes the connection. API Gateway may not call it, so `live` also removes those that are gone. */
export const handler = webSocketFunction(log, async (event) => {
  await connections.remove(event.requestContext.connectionId);
  return { statusCode: 200 };
});
