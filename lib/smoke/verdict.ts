/** What one check of a deployed environment found. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly ms: number;
}

/** What `produce-test` answers. */
export interface Produced {
  readonly commits: boolean;
  readonly aborts: boolean;
  readonly fences: boolean;
  readonly failure?: string;
}
/** What `consume-test` answers. */
export interface Consumed {
  readonly values: readonly string[];
  readonly complete: boolean;
}

/** Whether the configured delivery holds on this cluster, and what to configure if it does not. */
export function deliveryVerdict(
  delivery: "transactional" | "idempotent",
  nonce: string,
  produced: Produced,
  consumed: Consumed,
): { ok: boolean; detail: string } {
  const visible = consumed.values.map((value) => value.slice(nonce.length + 1)).toSorted();
  const exact = visible.length === 1 && visible[0] === "committed";
  const holds = produced.commits && produced.aborts && produced.fences && consumed.complete && exact;
  const found = `commit ${produced.commits ? "works" : "fails"}, abort ${produced.aborts ? "works" : "fails"}, fencing ${produced.fences ? "works" : "fails"}, a reader of committed records sees [${visible.join(", ")}]${consumed.complete ? "" : " (not to the end)"}${produced.failure === undefined ? "" : `; ${produced.failure}`}`;
  if (holds)
    return {
      ok: true,
      detail:
        delivery === "transactional"
          ? `delivery: transactional holds (${found})`
          : `this cluster has transactions (${found}): delivery: transactional could be configured`,
    };
  return delivery === "idempotent"
    ? { ok: true, detail: `no transactions here (${found}); delivery: idempotent is right` }
    : {
        ok: false,
        detail: `delivery: transactional does not hold here (${found}); set processor.delivery to "idempotent" and deploy again`,
      };
}
