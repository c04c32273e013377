import middy from "@middy/core";
import type { APIGatewayProxyResultV2, APIGatewayProxyWebsocketEventV2 } from "aws-lambda";
import { dynamoDbClient } from "../../adapters/dynamodb.ts";
import { createLogger, type Logger } from "../../adapters/log.ts";
import { readSettings, type Settings } from "../../config/settings.ts";
import type { PipelineName } from "../../domain/pipelines.ts";
import { dynamoDbConnections, type Connections } from "./connections.ts";

export type WebSocketResult = { readonly statusCode: number; readonly body?: string } & APIGatewayProxyResultV2;
export type WebSocketHandler = (event: APIGatewayProxyWebsocketEventV2) => Promise<WebSocketResult>;

/** The logger of a WebSocket function, and the connections and pipelines of its environment. */
export function webSocketClients(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): { readonly log: Logger; readonly connections: Connections; readonly pipelines: readonly PipelineName[] } {
  const settings: Settings<"websocket"> = readSettings("websocket", env);
  const connections = dynamoDbConnections(
    dynamoDbClient(settings.region, settings.dynamodbEndpoint),
    settings.connectionsTable,
    settings.dynamodbEndpoint !== undefined,
  );
  return { log: createLogger(name, settings.logLevel), connections, pipelines: settings.pipelines };
}

/** A function behind API Gateway WebSocket routes. An error that `answer` throws is logged and answered 500. */
export function webSocketFunction(
  log: Logger,
  answer: (event: APIGatewayProxyWebsocketEventV2) => Promise<WebSocketResult>,
): WebSocketHandler {
  const handler = middy<APIGatewayProxyWebsocketEventV2, WebSocketResult>()
    .use({
      onError: (request) => {
        const { connectionId, requestId, routeKey } = request.event.requestContext;
        log.error({ err: request.error, connectionId, requestId, routeKey }, "WebSocket route failed");
        request.response = {
          statusCode: 500,
          body: JSON.stringify({ type: "error", code: "internal-error", message: `request ${requestId} failed` }),
        };
      },
    })
    .handler(answer);
  return handler as unknown as WebSocketHandler;
}
