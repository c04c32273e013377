import { webSocketClients, webSocketFunction } from "../shared/websocket.ts";
import { answerTo, parseRequest } from "./request.ts";

const { log, connections, pipelines } = webSocketClients("subscribe", process.env);

/** Routes `subscribe`, `unsubscribe` and `$default`: changes subscriptions. The body goes to the client. */
export const handler = webSocketFunction(log, async (event) => {
  const request = parseRequest(event.body, pipelines);
  if (!request.ok) return { statusCode: 200, body: JSON.stringify(request.answer) };
  const done = await connections.change(
    event.requestContext.connectionId,
    request.action,
    request.subscription,
    Date.now(),
  );
  return { statusCode: 200, body: JSON.stringify(answerTo(request.action, request.subscription, done)) };
});
