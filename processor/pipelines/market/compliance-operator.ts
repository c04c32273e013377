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

/** The figure that broke a rule, and the rule's limit. */
interface Breach {
  readonly figure: number | null;
  readonly limit: number | null;
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
    for (const rule of rules) {
      const breach = this.#breach(rule, key, trade!, book!);
      if (!breach) continue;
      const { name, kind, severity } = rule;
      raise(to, key, trade!, { rule: name, kind, severity, ...breach, reference: version }, context);
    }
  }

  #breach(rule: ComplianceRule, symbol: string, trade: BookedTrade, book: TradeBook): Breach | null {
    if (rule.symbols && !rule.symbols.includes(symbol)) return null;
    switch (rule.kind) {
      case "restricted-symbol":
        return { figure: null, limit: null };
      case "trade-amount":
        return above(trade.amountUsd, rule.maxUsd);
      case "price-deviation": {
        const close = this.#options.closes.of(symbol);
        return above((Math.abs(trade.price - close) / close) * 100, rule.maxPercent);
      }
      case "account-rate":
        return trade.account === null
          ? null
          : above(book.tradesOf(trade.account, minuteOf(trade.time)), rule.maxTrades);
    }
  }

  /** Writes nothing: the book has the alerts. */
  encode(): void {}

  decode(): null {
    return null;
  }
}

/** A breach where a figure is above its limit. A figure that is not known breaks no rule. */
function above(figure: number, limit: number): Breach | null {
  return figure > limit ? { figure, limit } : null;
}
