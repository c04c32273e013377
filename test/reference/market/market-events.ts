import fc from "fast-check";
import {
  advanceMs,
  type SettingsEvent,
  settingsEvents,
  type TicksEvent,
  ticksEvents,
  which,
} from "../stream-events.ts";

/**
 * What happens next in a stream of trades, relative to the settings and to what has happened so far.
 *
 * - `trade`: a new id.
 * - `again`: a trade that was sent comes again, as it was or with another status, and perhaps spelled otherwise.
 * - `reuse`: an id that was sent comes with other content.
 * - `broken`: a record that breaks the contract.
 * - `reference`: reference data, whole or not.
 */
export type MarketEvent =
  | {
      kind: "trade";
      symbol: number;
      from: TradeTime;
      nudgeMs: number;
      figures: Figures;
      price: number;
      quantity: number;
      currency: string | undefined;
      side: "buy" | "sell" | undefined;
      account: number | undefined;
      status: Status | undefined;
      spelling: Spelling;
      advanceMs: number;
    }
  | { kind: "again"; which: number; status: Status | "same"; spelling: Spelling; advanceMs: number }
  | { kind: "reuse"; which: number; change: Change; advanceMs: number }
  | { kind: "broken"; which: number; symbol: number; advanceMs: number }
  | { kind: "reference"; which: number; form: ReferenceForm; advanceMs: number; partition: number }
  | SettingsEvent
  | TicksEvent;

export type Status = "pending" | "executed" | "cancelled";
/** Where a trade's time lies. */
export type TradeTime =
  | "after the last"
  | "at the highest"
  | "in the next minute"
  | "on a minute"
  | "when a minute's bar fires"
  | "when a sliding bar fires"
  | "when a minute's bar is gone"
  | "when a sliding bar is gone"
  | "when a minute is too late"
  | "minutes back"
  | "a bit back"
  | "far back"
  | "at the guard"
  | "at the beginning of time";
/** Which of price, quantity and amount a trade has. */
export type Figures =
  | "price"
  | "amount"
  | "price, quantity"
  | "price, amount"
  | "quantity, amount"
  | "all"
  | "all but for a rounding"
  | "all, in contradiction";
export type Spelling = "plain" | "RFC 3339" | "with offset" | "ticker" | "unknown fields" | "other order";
export type Change = "price" | "account" | "side" | "currency" | "timestamp" | "minute";
export type ReferenceForm =
  | "whole"
  | "in parts"
  | "again"
  | "first part alone"
  | "second part alone"
  | "interrupted"
  | "parts in wrong order"
  | "no JSON"
  | "wrong data"
  | "other version in it"
  | "no version"
  | "too many parts";

const symbol = fc.constantFrom(0, 0, 0, 1, 2, 3);
const status = fc.constantFrom<(Status | undefined)[]>(
  undefined,
  undefined,
  "executed",
  "executed",
  "pending",
  "pending",
  "cancelled",
);
const spelling = fc.constantFrom<Spelling[]>(
  "plain",
  "plain",
  "RFC 3339",
  "with offset",
  "ticker",
  "unknown fields",
  "other order",
);

const trade: fc.Arbitrary<MarketEvent> = fc.record({
  kind: fc.constant("trade" as const),
  symbol,
  from: fc.constantFrom<TradeTime[]>(
    "after the last",
    "after the last",
    "after the last",
    "at the highest",
    "in the next minute",
    "in the next minute",
    "on a minute",
    "when a minute's bar fires",
    "when a sliding bar fires",
    "when a minute's bar is gone",
    "when a sliding bar is gone",
    "when a minute is too late",
    "minutes back",
    "minutes back",
    "a bit back",
    "far back",
    "at the guard",
    "at the beginning of time",
  ),
  nudgeMs: fc.constantFrom(0, 0, 0, 1, -1, 50, -50, 20_000, -30_000),
  figures: fc.constantFrom<Figures[]>(
    "price",
    "amount",
    "price, quantity",
    "price, quantity",
    "price, quantity",
    "price, amount",
    "quantity, amount",
    "all",
    "all but for a rounding",
    "all, in contradiction",
  ),
  price: fc.constantFrom(1, 100, 100, 101, 110, 150.25, 0.1, 0.3, 1e-9, 1e15, 1e100),
  quantity: fc.constantFrom(1, 1, 2, 3, 40, 0.1, 0.7, 1e-6, 1e12, 1e100),
  currency: fc.constantFrom(undefined, undefined, "USD", "EUR", "JPY", "XXX"),
  side: fc.constantFrom(undefined, "buy" as const, "buy" as const, "sell" as const),
  account: fc.constantFrom(undefined, 0, 0, 0, 1, 2, 3),
  status,
  spelling,
  advanceMs,
});

const again: fc.Arbitrary<MarketEvent> = fc.record({
  kind: fc.constant("again" as const),
  which,
  status: fc.constantFrom<(Status | "same")[]>(
    "same",
    "same",
    "pending",
    "executed",
    "executed",
    "cancelled",
    "cancelled",
  ),
  spelling,
  advanceMs,
});

export const marketEvents: fc.Arbitrary<MarketEvent> = fc.oneof(
  { weight: 12, arbitrary: trade },
  { weight: 6, arbitrary: again },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("reuse" as const),
      which,
      change: fc.constantFrom<Change[]>("price", "account", "side", "currency", "timestamp", "minute"),
      advanceMs,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("broken" as const), which: fc.nat(200), symbol, advanceMs }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("reference" as const),
      which,
      form: fc.constantFrom<ReferenceForm[]>(
        ...Array.from({ length: 12 }, (): ReferenceForm => "whole"),
        "in parts",
        "in parts",
        "in parts",
        "in parts",
        "again",
        "first part alone",
        "second part alone",
        "interrupted",
        "parts in wrong order",
        "no JSON",
        "wrong data",
        "other version in it",
        "no version",
        "too many parts",
      ),
      advanceMs,
      partition: fc.nat(1),
    }),
  },
  { weight: 1, arbitrary: settingsEvents },
  { weight: 2, arbitrary: ticksEvents },
);
