import type { Document } from "mongodb";
import type { UpdateOne } from "./mongo.ts";

type Comparable = number | string | Date;
type Fields = Record<string, unknown>;

/**
 * Updates of documents, one per document. They compare, collect or set the same, so order and repetition do not matter,
 * and they filter by `_id` alone.
 */
export class MergedUpdates<D extends Document & { readonly _id: string }> {
  readonly #byId = new Map<string, Record<"$max" | "$min" | "$set" | "$addToSet", Fields>>();

  max(id: string, field: string, value: Comparable): void {
    const { $max } = this.#of(id);
    const known = $max[field] as Comparable | undefined;
    if (known === undefined || value > known) $max[field] = value;
  }

  min(id: string, field: string, value: Comparable): void {
    const { $min } = this.#of(id);
    const known = $min[field] as Comparable | undefined;
    if (known === undefined || value < known) $min[field] = value;
  }

  /** Sets a field that has the same value in every record of the document. */
  set(id: string, field: string, value: unknown): void {
    this.#of(id).$set[field] = value;
  }

  /** Adds values to a list that has each once. */
  addAll(id: string, field: string, values: readonly string[]): void {
    if (values.length === 0) return;
    const { $addToSet } = this.#of(id);
    const known = $addToSet[field] as { readonly $each: readonly string[] } | undefined;
    $addToSet[field] = { $each: [...new Set([...(known?.$each ?? []), ...values])] };
  }

  get all(): UpdateOne<D>[] {
    return [...this.#byId].map(([_id, operators]) => ({
      filter: { _id: _id as D["_id"] },
      update: Object.fromEntries(Object.entries(operators).filter(([, fields]) => Object.keys(fields).length > 0)),
    }));
  }

  #of(id: string): Record<"$max" | "$min" | "$set" | "$addToSet", Fields> {
    let operators = this.#byId.get(id);
    if (!operators) this.#byId.set(id, (operators = { $max: {}, $min: {}, $set: {}, $addToSet: {} }));
    return operators;
  }
}
