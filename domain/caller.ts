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

/** The scope that makes the bearer of a token an operator. */
export const OPERATOR_SCOPE = "operator";

/**
 * Whether a token is an operator's: its `scope` has `operator`, or it names the operators' group.
 *
 * @param claims Of a verified token. A claim that has another form than a list of texts, or one text, names no group.
 * @param groupsClaim The claim that lists the groups of who has signed in.
 */
export function namesOperator(
  claims: Readonly<Record<string, unknown>>,
  { groupsClaim, operatorsGroup }: { readonly groupsClaim: string; readonly operatorsGroup: string },
): boolean {
  const { scope } = claims;
  if (typeof scope === "string" && scope.split(" ").includes(OPERATOR_SCOPE)) return true;
  const groups = claims[groupsClaim];
  return Array.isArray(groups) ? groups.includes(operatorsGroup) : groups === operatorsGroup;
}
