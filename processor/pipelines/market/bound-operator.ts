import type { Semantics } from "../../../domain/semantics.ts";
import type { KeyedState } from "../../runtime/keyed-state.ts";
import type { Operator, StepContext } from "../../runtime/operator.ts";
import type { EnrichOperator } from "./enrich-operator.ts";
import type { TradeMessage } from "./trade-message.ts";

/** The last operator: when a partition keeps too many trades, the oldest minutes are let go. */
export class BoundOperator implements Operator<null, TradeMessage> {
  readonly name = "bound";
  readonly layout = 1;
  readonly #enrich: EnrichOperator;
  readonly #max: number;

  constructor(enrich: EnrichOperator, { maxTradesPerPartition }: Pick<Semantics, "maxTradesPerPartition">) {
    this.#enrich = enrich;
    this.#max = maxTradesPerPartition;
  }

  create(): null {
    return null;
  }

  apply(_state: null, _keyed: KeyedState, _message: TradeMessage, _watermark: number, context: StepContext): void {
    this.#enrich.letGo(this.#max, context);
  }

  encode(): void {}

  decode(): null {
    return null;
  }
}
