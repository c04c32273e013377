import { firstBytes, formatInsteadOfJson } from "../../domain/signatures.ts";

/** What of a payload is quoted in error messages, and how much of it. */

/** Characters of a text, a number or a name that are quoted. */
const QUOTED = 40;
/** Names of fields that are listed. */
const LISTED = 8;

function cut(text: string): string {
  return text.length <= QUOTED ? text : `${text.slice(0, QUOTED)}…`;
}

/** A value of a parsed JSON document in a few words: "missing", "12", "the text \"12\"", "an array of 3". */
export function described(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "string") return `the text ${JSON.stringify(cut(value))}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) return `an object, ${fieldsOf(value)}`;
  return `${value as number | boolean | null}`;
}

/** The names of an object's fields. */
function fieldsOf(value: object): string {
  const names = Object.keys(value);
  if (names.length === 0) return "without fields";
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : "";
  return `with the fields ${names.slice(0, LISTED).map(cut).join(", ")}${more}`;
}

/**
 * A number as it stands in the payload: a double would show `1e400` as Infinity and 9007199254740993 as another number.
 *
 * @param json The payload, if it is JSON; null for packed ones, whose numbers are doubles.
 * @param path Names and indexes that lead to the number.
 */
export function written(json: Uint8Array | null, value: number, ...path: (string | number)[]): string {
  if (json === null) return String(value);
  let at: unknown = JSON.parse(Buffer.from(json).toString("utf8"), sourceOfNumber);
  for (const step of path) at = (at as Record<string | number, unknown> | undefined)?.[step];
  return typeof at === "string" ? cut(at) : String(value);
}

/** A reviver (ECMAScript proposal "JSON.parse source text access") that puts its text in the place of each number. */
const sourceOfNumber = ((_name: string, value: unknown, { source }: { source: string }): unknown =>
  typeof value === "number" ? source : value) as (name: string, value: unknown) => unknown;

/** Why bytes, called `what`, are no JSON: the format that they seem to have, or the parser's complaint. */
export function whyNotJson(what: string, bytes: Uint8Array, error: unknown): string {
  const problem = `${what} of ${bytes.length} bytes is not JSON in UTF-8`;
  const instead = formatInsteadOfJson(bytes);
  if (instead === null && error instanceof SyntaxError) return `${problem}: ${error.message}`;
  return `${problem}: it begins with ${firstBytes(bytes)}, ${instead ?? "and some of its bytes are no UTF-8"}`;
}
