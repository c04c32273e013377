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
