import { webSocketClients, webSocketFunction } from "../shared/websocket.ts";

const { log, connections } = webSocketClients("disconnect", process.env);

/** `$disconnect`: forgets the connection. API Gateway calls it on a best-effort basis: `live` removes what is gone, too. */
export const handler = webSocketFunction(log, async (event) => {
  await connections.remove(event.requestContext.connectionId);
  return { statusCode: 200 };
});
