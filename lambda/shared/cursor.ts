import { createHash } from "node:crypto";
import { z } from "zod";
import { invalid } from "./parameters.ts";

/** The sort key of the last item of a page. Lists are sorted by `value`, then by `id`, both descending. */
export interface Position {
  readonly value: number;
  readonly id: string;
}

const schema = z.tuple([z.number(), z.string().max(300), z.string()]);

/** A position as clients get it: opaque, and bound to the other parameters (`query`) of its list. */
export function encodeCursor(position: Position, query: unknown): string {
  return Buffer.from(JSON.stringify([position.value, position.id, fingerprint(query)])).toString("base64url");
}

/**
 * The position that a cursor stands for.
 *
 * @throws ProblemError `invalid-request` when it is not a cursor of this list
 */
export function decodeCursor(cursor: string, query: unknown): Position {
  const refuse = (message: string): Error =>
    invalid([{ in: "query", name: "cursor", received: cursor.slice(0, 200), message }]);
  let parsed: z.infer<typeof schema>;
  try {
    parsed = schema.parse(JSON.parse(Buffer.from(cursor, "base64url").toString("utf8")));
  } catch {
    throw refuse("is not the next of an earlier page");
  }
  if (parsed[2] !== fingerprint(query))
    throw refuse("belongs to a list with other parameters: only limit may change between pages");
  return { value: parsed[0], id: parsed[1] };
}

function fingerprint(query: unknown): string {
  return createHash("sha256").update(JSON.stringify(query)).digest("base64url").slice(0, 8);
}

/** A page of at most `limit` items. `found` has up to `limit + 1` documents: the last says that there are more. */
export function toPage<D, T>(
  found: readonly D[],
  limit: number,
  query: unknown,
  position: (document: D) => Position,
  toItem: (document: D) => T,
): { items: T[]; next: string | null } {
  const documents = found.slice(0, limit);
  return {
    items: documents.map(toItem),
    next: found.length > limit ? encodeCursor(position(documents.at(-1)!), query) : null,
  };
}

/** Whether a place comes after another one in a list that is sorted by value and id, both descending. */
export function isAfter(one: Position, other: Position): boolean {
  return one.value < other.value || (one.value === other.value && one.id < other.id);
}

/** MongoDB filter for the items after a position, in a list sorted by `field` and `_id`, both descending. */
export function afterPosition(field: string, position: Position): Record<string, unknown> {
  return { $or: [{ [field]: { $lt: position.value } }, { [field]: position.value, _id: { $lt: position.id } }] };
}
