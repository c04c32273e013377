import type { aws_lambda as lambda } from "aws-cdk-lib";
import { runningPipelineNames } from "../../config/pipelines.ts";
import { writeSettings } from "../../config/settings.ts";
import { type FunctionName, functions, webSocketRoutes } from "../../domain/routes.ts";
import { MillraceFunction } from "../constructs/millrace-function.ts";
import type { MillraceStack } from "../constructs/millrace-stack.ts";
import { allowTable, type TableAction } from "../reusable/grants.ts";
import type { SecurityStack } from "./security.ts";
import type { StateStack } from "./state.ts";

interface WebSocketNeeds {
  readonly security: SecurityStack;
  readonly state: StateStack;
}

/** What each function may do with the table of connections. */
const tableActions: Readonly<Record<string, readonly TableAction[]>> = {
  connect: ["PutItem"],
  disconnect: ["DeleteItem"],
  subscribe: ["GetItem", "UpdateItem"],
};

/** The functions of the WebSocket API's routes, by name. */
export function webSocketFunctions(stack: MillraceStack, needs: WebSocketNeeds): Record<string, lambda.IFunction> {
  const names = [...new Set(webSocketRoutes.map((route) => route.function))];
  return Object.fromEntries(names.map((name) => [name, handler(stack, name, needs)]));
}

function handler(
  stack: MillraceStack,
  name: FunctionName,
  { security: { keys }, state }: WebSocketNeeds,
): lambda.IFunction {
  const { connections } = state.tables;
  const routeKeys = webSocketRoutes.filter((route) => route.function === name).map(({ routeKey }) => routeKey);
  const made = new MillraceFunction(stack, {
    name,
    description: `WebSocket: ${routeKeys.join(", ")}`,
    environment: writeSettings("websocket", {
      environment: stack.config.name,
      pipelines: runningPipelineNames(stack.config),
      connectionsTable: connections.tableName,
    }),
    timeoutSeconds: functions[name].timeoutSeconds,
    memoryMiB: functions[name].memoryMb,
    key: keys.operations,
  });
  allowTable(made, connections, keys.state, tableActions[name] ?? []);
  return made.function;
}

/** The function that takes a connection's ticket; undefined where the config names no issuer. */
export function connectionAuthorizer(
  stack: MillraceStack,
  { security: { keys }, state }: WebSocketNeeds,
): lambda.IFunction | undefined {
  if (stack.config.api.auth === null) return undefined;
  const { tickets } = state.tables;
  const made = new MillraceFunction(stack, {
    name: "authorize-connection",
    description: "WebSocket authorizer: a ticket, once",
    environment: writeSettings("tickets", { environment: stack.config.name, ticketsTable: tickets.tableName }),
    timeoutSeconds: 10,
    memoryMiB: 256,
    key: keys.operations,
  });
  allowTable(made, tickets, keys.state, ["DeleteItem"]);
  return made.function;
}
