import { createHash } from "node:crypto";
import { z } from "zod";
import { invalid } from "./parameters.ts";

/** Where a page of a list ends: the sort key of its last item. Lists are sorted by `value`, then `id`, both descending. */
export interface Position {
  readonly value: number;
  readonly id: string;
}

const schema = z.tuple([z.number(), z.string().max(300), z.string()]);

/** A cursor as clients see it: opaque, and bound to the other parameters (`query`) of its list. */
export function encodeCursor(position: Position, query: unknown): string {
  return Buffer.from(JSON.stringify([position.value, position.id, fingerprint(query)])).toString("base64url");
}

/** @throws ProblemError `invalid-request` when it is not a cursor that this list has given out. */
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

/** Cuts what was read (one more than the page holds, to know whether there is more) to a page. */
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

/** MongoDB filter for what comes after a position in a list sorted by `field` and `_id`, both descending. */
export function afterPosition(field: string, position: Position): Record<string, unknown> {
  return { $or: [{ [field]: { $lt: position.value } }, { [field]: position.value, _id: { $lt: position.id } }] };
}
