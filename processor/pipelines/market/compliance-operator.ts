import type { ComplianceRule } from "../../../domain/reference.ts";
import type { KeyedState } from "../../runtime/keyed-state.ts";
import type { Operator, StepContext } from "../../runtime/operator.ts";
import { raise, withdraw } from "./alerts.ts";
import type { LastCloses } from "./last-closes.ts";
import type { ReferenceData } from "./reference-data.ts";
import { type BookedTrade, minuteOf, type TradeBook } from "./trade-book.ts";
import type { TradeMessage } from "./trade-message.ts";

export interface ComplianceOptions {
  readonly to: string;
  readonly reference: ReferenceData;
  readonly closes: LastCloses;
}

/**
 * Judges each executed trade by the rules of the reference data, in their order. Alerts on a trade that is cancelled
 * are withdrawn.
 */
export class ComplianceOperator implements Operator<null, TradeMessage> {
  readonly name = "compliance";
  readonly layout = 1;
  readonly #options: ComplianceOptions;

  constructor(options: ComplianceOptions) {
    this.#options = options;
  }

  create(): null {
    return null;
  }

  apply(_state: null, { key }: KeyedState, message: TradeMessage, _watermark: number, context: StepContext): void {
    const { to, reference } = this.#options;
    const { trade, book } = message;
    if (message.revokes) withdraw(to, key, trade!, context);
    if (!message.executes || reference.inForce === null) return;
    const { version, rules } = reference.inForce;
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]!;
      if (rule.symbols && !rule.symbols.includes(key)) continue;
      const limit = limitOf(rule);
      const figure = limit === null ? null : this.#figureOf(rule, key, trade!, book!);
      if (figure !== null && !(figure > limit!)) continue;
      const { name, kind, severity } = rule;
      raise(to, key, trade!, { rule: name, kind, severity, figure, limit, reference: version }, context);
    }
  }

  /** The figure that a rule with a limit is about. One that is not known, NaN, breaks no rule. */
  #figureOf({ kind }: ComplianceRule, symbol: string, trade: BookedTrade, book: TradeBook): number {
    if (kind === "trade-amount") return trade.amountUsd;
    if (kind === "account-rate")
      return trade.account === null ? NaN : book.tradesOf(trade.account, minuteOf(trade.time));
    const close = this.#options.closes.of(symbol);
    return (Math.abs(trade.price - close) / close) * 100;
  }

  /** Writes nothing: the book has the alerts. */
  encode(): void {}

  decode(): null {
    return null;
  }
}

/** What a rule's figure may be at most; null for a rule that every trade breaks. */
function limitOf(rule: ComplianceRule): number | null {
  switch (rule.kind) {
    case "restricted-symbol":
      return null;
    case "trade-amount":
      return rule.maxUsd;
    case "price-deviation":
      return rule.maxPercent;
    case "account-rate":
      return rule.maxTrades;
  }
}
