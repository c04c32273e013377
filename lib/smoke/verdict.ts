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

export type Delivery = "transactional" | "idempotent";

/** Whether the configured delivery holds on this cluster, and what to configure if it does not. */
export function deliveryVerdict(
  delivery: Delivery,
  nonce: string,
  produced: Produced,
  consumed: Consumed,
): { ok: boolean; detail: string } {
  const visible = consumed.values.map((value) => value.slice(nonce.length + 1)).toSorted();
  const onlyCommitted = visible.length === 1 && visible[0] === "committed";
  const hasTransactions = produced.commits && produced.aborts && produced.fences && consumed.complete && onlyCommitted;
  const findings = findingsText(produced, consumed, visible);
  if (delivery === "idempotent")
    return {
      ok: true,
      detail: hasTransactions
        ? `this cluster has transactions (${findings}): delivery: transactional could be configured`
        : `no transactions here (${findings}); delivery: idempotent is right`,
    };
  if (hasTransactions) return { ok: true, detail: `delivery: transactional holds (${findings})` };
  return {
    ok: false,
    detail:
      `delivery: transactional does not hold here (${findings}); ` +
      'set processor.delivery to "idempotent" and deploy again',
  };
}

function findingsText(produced: Produced, { complete }: Consumed, visible: readonly string[]): string {
  const works = (holds: boolean): string => (holds ? "works" : "fails");
  const steps = [
    `commit ${works(produced.commits)}`,
    `abort ${works(produced.aborts)}`,
    `fencing ${works(produced.fences)}`,
    `a reader of committed records sees [${visible.join(", ")}]${complete ? "" : " (not to the end)"}`,
  ];
  return `${steps.join(", ")}${produced.failure === undefined ? "" : `; ${produced.failure}`}`;
}
