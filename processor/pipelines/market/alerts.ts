import type { StepContext } from "../../runtime/operator.ts";
import { amountOf, tradeFields } from "./enrich.ts";
import type { BookedTrade, RaisedAlert } from "./trade-book.ts";

/** Writes an alert on a trade, and notes it in the book, so that it can be withdrawn. */
export function raise(to: string, symbol: string, trade: BookedTrade, alert: RaisedAlert, context: StepContext): void {
  trade.raised = [...trade.raised, alert];
  context.counters.add("processor.alerts");
  emit(to, symbol, trade, alert, "raised", context);
}

/** Withdraws the alerts on a trade that was cancelled. */
export function withdraw(to: string, symbol: string, trade: BookedTrade, context: StepContext): void {
  for (const alert of trade.raised) emit(to, symbol, trade, alert, "withdrawn", context);
  trade.raised = [];
}

function emit(
  to: string,
  symbol: string,
  trade: BookedTrade,
  { rule, kind, severity, figure, limit, reference }: RaisedAlert,
  status: "raised" | "withdrawn",
  context: StepContext,
): void {
  context.out.json(to, symbol, {
    symbol,
    alertId: `${symbol}/${trade.id}/${rule}`,
    rule,
    kind,
    severity,
    status,
    revision: status === "raised" ? 0 : 1,
    figure,
    limit,
    trade: { ...tradeFields(trade.id, trade.time, trade, trade.status), amountUsd: amountOf(trade) },
    reference,
  });
}
