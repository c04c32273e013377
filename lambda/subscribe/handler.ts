import { isOperator } from "../../domain/caller.ts";
import { webSocketClients, webSocketFunction } from "../shared/websocket.ts";
import { answerTo, parseRequest } from "./request.ts";

const { log, connections, pipelines } = webSocketClients("subscribe", process.env);

/** Routes `subscribe`, `unsubscribe` and `$default`: changes subscriptions. The body goes to the client. */
export const handler = webSocketFunction(log, async (event) => {
  const { connectionId, requestId } = event.requestContext;
  const request = parseRequest(event.body, { running: pipelines, isOperator: isOperator(event), requestId });
  if (!request.ok) return { statusCode: 200, body: JSON.stringify(request.answer) };
  const { action, subscription, resumes } = request;
  let outcome: Awaited<ReturnType<typeof connections.subscribe>> = "done";
  if (action === "subscribe") outcome = await connections.subscribe(connectionId, subscription, resumes, Date.now());
  else await connections.unsubscribe(connectionId, subscription, Date.now());
  return { statusCode: 200, body: JSON.stringify(answerTo(action, subscription, outcome)) };
});
