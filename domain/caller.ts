/**
 * What the authorizers say of a caller: `requestContext.authorizer` of an event of the REST API, and of every event of
 * a WebSocket connection. API Gateway takes texts, numbers and truth values, and gives all of them as texts.
 */
export interface CallerContext {
  readonly operator: "true" | "false";
}

export function callerContext(operator: boolean): { operator: CallerContext["operator"] } {
  return { operator: operator ? "true" : "false" };
}

/** Whether an event is an operator's. Nobody is, where an environment has no authorizer. */
export function isOperator({ requestContext }: { readonly requestContext: object }): boolean {
  const { authorizer } = requestContext as { readonly authorizer?: Partial<CallerContext> | null };
  return authorizer?.operator === "true";
}
