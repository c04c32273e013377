import type { Resource } from "./synthesised.ts";

/** A statement of a policy, as a template has it. */
export interface Statement {
  readonly Effect: "Allow" | "Deny";
  readonly Action?: string | readonly string[];
  readonly Resource?: unknown;
  readonly Principal?: unknown;
}

/** What a template has once as it is, and more than once as a list. */
export const list = <T>(value: T | readonly T[]): readonly T[] =>
  Array.isArray(value) ? (value as readonly T[]) : [value as T];

/** A resource of a policy as text: references become `<name>`. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  const [name, argument] = Object.entries(value as Record<string, unknown>)[0] ?? ["", undefined];
  if (name === "Fn::Join")
    return (argument as [string, unknown[]])[1].map(textOf).join((argument as [string, unknown[]])[0]);
  if (name === "Fn::ImportValue") return `<${textOf(argument)}>`;
  if (name === "Fn::Select") return "<part>";
  return `<${
    typeof argument === "string"
      ? argument
      : list(argument as string[])
          .map((part) => (typeof part === "string" ? part : textOf(part)))
          .join(".")
  }>`;
}

/** All statements of a template: of roles, keys, buckets, queues, topics, IoT policies. */
export function statementsOf({ Properties }: Resource): Statement[] {
  const documents = [
    Properties["PolicyDocument"],
    Properties["KeyPolicy"],
    Properties["AssumeRolePolicyDocument"],
    Properties["Policy"],
    // Of a role. A user pool has its policy of passwords there.
    ...(Array.isArray(Properties["Policies"]) ? (Properties["Policies"] as { PolicyDocument: unknown }[]) : []).map(
      ({ PolicyDocument }) => PolicyDocument,
    ),
  ];
  return documents.flatMap((document) =>
    typeof document === "object" && document !== null && "Statement" in document
      ? list((document as { Statement: Statement | Statement[] }).Statement)
      : [],
  );
}
