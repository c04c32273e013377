import type { Reference } from "../../../domain/reference.ts";
import type { Semantics } from "../../../domain/semantics.ts";
import { MAX_EPOCH_MS } from "../../../domain/time.ts";
import { StreamLog } from "../stream-log.ts";
import { brokenTrades } from "./broken.ts";
import type { Change, Figures, MarketEvent, ReferenceForm, Spelling, TradeTime } from "./market-events.ts";

/** Outputs are ordered by the bytes of the ids: these differ from every locale's order. */
const SYMBOLS = ["AAPL", "_", "MSFT", "A:1"];
const MINUTE = 60_000;

interface Market {
  /** Time of the last trade, and the highest one. */
  last: number;
  highest: number;
}

/** A trade's fields; `timestamp` in epoch ms. */
interface Fields {
  readonly trade_id: string;
  readonly timestamp: number;
  readonly status: string | undefined;
  readonly [name: string]: unknown;
}

interface Sent {
  readonly symbol: number;
  readonly fields: Fields;
}

/** Turns events of a market into a log. */
export class MarketLog extends StreamLog {
  private readonly markets: Market[];
  private readonly sent: Sent[] = [];
  private versions = 0;
  private parts = 0;
  constructor(choices: readonly Semantics[], origin: number, partitions: number) {
    super(choices, origin, partitions);
    this.markets = SYMBOLS.map(() => ({ last: origin, highest: origin }));
  }

  apply(event: MarketEvent): void {
    switch (event.kind) {
      case "trade":
        return this.trade(event);
      case "again": {
        // One of the last ones.
        const sent = this.sent.at(-1 - (event.which % Math.max(1, Math.min(6, this.sent.length))));
        if (sent === undefined) return;
        const fields = event.status === "same" ? sent.fields : { ...sent.fields, status: event.status };
        return this.send({ ...sent, fields }, event.spelling, event.advanceMs);
      }
      case "reuse": {
        const sent = this.sent[event.which % Math.max(1, this.sent.length)];
        if (sent === undefined) return;
        return this.send(
          { ...sent, fields: { ...sent.fields, ...changed(sent.fields, event.change) } },
          "plain",
          event.advanceMs,
        );
      }
      case "broken": {
        const [, value, key = "AAPL"] = brokenTrades[event.which % brokenTrades.length]!;
        return this.append(
          event.symbol % this.partitions,
          event.advanceMs,
          key,
          typeof value === "string" ? Buffer.from(value) : value,
        );
      }
      case "reference":
        return this.reference(event);
      case "settings":
        return this.changeSettings(event);
      case "ticks":
        return this.ticks(event);
    }
  }

  private trade(event: MarketEvent & { kind: "trade" }): void {
    const market = this.markets[event.symbol]!;
    const clock = this.clocks[event.symbol % this.partitions]!;
    const timestamp = Math.max(-MAX_EPOCH_MS, this.time(market, event.from, clock) + event.nudgeMs);
    const fields = {
      trade_id: `T-${this.sent.length}`,
      timestamp,
      ...figuresOf(event.figures, event.price, event.quantity),
      currency: event.currency,
      side: event.side,
      account: event.account === undefined ? undefined : `ACC-${event.account}`,
      status: event.status,
    };
    const sent = { symbol: event.symbol, fields };
    this.sent.push(sent);
    const atLeast = event.from === "at the guard" ? -Infinity : Math.ceil(timestamp - this.settings.futureGuardMs);
    this.send(sent, event.spelling, event.advanceMs, atLeast);
    // What the processor refuses moves no watermark.
    if (event.figures === "all, in contradiction") return;
    if (timestamp > this.log.at(-1)!.timestamp + this.settings.futureGuardMs) return;
    market.last = timestamp;
    market.highest = Math.max(market.highest, timestamp);
  }

  private send({ symbol, fields }: Sent, spelling: Spelling, advanceMs: number, atLeast = -Infinity): void {
    const key = SYMBOLS[symbol]!;
    const value = Buffer.from(spelled(key, fields, spelling));
    this.append(symbol % this.partitions, advanceMs, key, value, {}, atLeast);
  }

  private time(market: Market, from: TradeTime, clock: number): number {
    const { outOfOrdernessMs, allowedLatenessMs, futureGuardMs } = this.settings;
    const watermark = market.highest - outOfOrdernessMs;
    const minute = Math.floor(market.highest / MINUTE) * MINUTE;
    const behind = (ms: number): number => Math.floor((watermark - ms) / MINUTE) * MINUTE;
    switch (from) {
      case "after the last":
        return market.last + 1000;
      case "at the highest":
        return market.highest;
      case "in the next minute":
        return market.last + MINUTE;
      case "on a minute":
        return minute + MINUTE;
      case "when a minute's bar fires":
        return minute + MINUTE + outOfOrdernessMs;
      case "when a sliding bar fires":
        return minute + 5 * MINUTE + outOfOrdernessMs;
      case "when a minute's bar is gone":
        return behind(MINUTE + allowedLatenessMs);
      case "when a sliding bar is gone":
        return behind(3 * MINUTE + allowedLatenessMs);
      case "when a minute is too late":
        return behind(5 * MINUTE + allowedLatenessMs);
      case "minutes back":
        return market.highest - 2 * MINUTE;
      case "a bit back":
        return market.highest - 700;
      case "far back":
        return market.highest - 20 * MINUTE;
      case "at the guard":
        return clock + futureGuardMs;
      case "at the beginning of time":
        return -MAX_EPOCH_MS;
    }
  }

  private reference({ which, form, advanceMs, partition }: MarketEvent & { kind: "reference" }): void {
    if (form !== "again") this.versions += 1;
    const version = `v${this.versions}`;
    const data = JSON.stringify({ ...references[which % references.length]!, version });
    const half = data.length >> 1;
    const one = [data.slice(0, half), data.slice(half)] as const;
    const append = (part: string, parts: string, text: string, more: Record<string, string> = {}): void => {
      this.parts += 1;
      this.append(partition % this.partitions, advanceMs, null, null, {
        type: "reference",
        change: `part-${this.parts}`,
        "reference-version": version,
        part,
        parts,
        reference: text,
        ...more,
      });
    };
    const forms: Record<ReferenceForm, () => void> = {
      whole: () => append("0", "1", data),
      again: () => append("0", "1", data),
      "in parts": () => {
        append("0", "2", one[0]);
        append("1", "2", one[1]);
      },
      "first part alone": () => append("0", "2", one[0]),
      "second part alone": () => append("1", "2", one[1]),
      interrupted: () => {
        append("0", "2", one[0]);
        append("0", "1", JSON.stringify({ version: `${version}b`, rates: { EUR: 2 } }), {
          "reference-version": `${version}b`,
        });
        append("1", "2", one[1]);
      },
      "parts in wrong order": () => {
        append("1", "2", one[1]);
        append("0", "2", one[0]);
      },
      "no JSON": () => append("0", "1", "{"),
      "wrong data": () => append("0", "1", JSON.stringify({ version, rates: { EUR: -1 } })),
      "other version in it": () => append("0", "1", JSON.stringify({ version: "other" })),
      "no version": () => append("0", "1", JSON.stringify({ rates: {} })),
      "too many parts": () => append("0", "17", data),
    };
    forms[form]();
  }
}

/** Reference data, without the version. Limits lie at and beside the figures of the streams. */
const references: readonly Omit<Partial<Reference>, "version">[] = [
  {},
  {
    rates: { EUR: 1.1, JPY: 0.007 },
    flags: { AAPL: ["tech", "us"], _: [] },
    rules: [
      { name: "large", severity: "HIGH", kind: "trade-amount", maxUsd: 100 },
      { name: "off", severity: "MEDIUM", kind: "price-deviation", maxPercent: 10 },
      { name: "often", severity: "LOW", kind: "account-rate", maxTrades: 1 },
      { name: "banned", severity: "CRITICAL", kind: "restricted-symbol", symbols: ["_", "AAPL"] },
    ],
  },
  {
    rates: { EUR: 1.2, USD: 5 },
    rules: [
      { name: "off", severity: "LOW", kind: "price-deviation", maxPercent: 0.5, symbols: ["AAPL"] },
      { name: "large", severity: "LOW", kind: "trade-amount", maxUsd: 0.1, symbols: ["MSFT", "AAPL"] },
      { name: "often", severity: "LOW", kind: "account-rate", maxTrades: 2, symbols: ["AAPL"] },
      { name: "oftener", severity: "HIGH", kind: "account-rate", maxTrades: 3 },
      { name: "nothing", severity: "LOW", kind: "restricted-symbol", symbols: [] },
    ],
  },
];

function figuresOf(figures: Figures, price: number, quantity: number): object {
  const amount = price * quantity;
  const all: Record<Figures, object> = {
    price: { price },
    amount: { amount },
    "price, quantity": { price, quantity },
    "price, amount": { price, amount },
    "quantity, amount": { quantity, amount },
    all: { price, quantity, amount },
    "all but for a rounding": { price, quantity, amount: amount * (1 + 9e-7) },
    "all, in contradiction": { price, quantity, amount: amount * (1 + 3e-6) },
  };
  return all[figures];
}

function changed({ timestamp, ...fields }: Fields, change: Change): object {
  const changes: Record<Change, object> = {
    price: { price: 7 },
    account: { account: fields["account"] === undefined ? "ACC-0" : undefined },
    side: { side: fields["side"] === "buy" ? "sell" : "buy" },
    currency: { currency: fields["currency"] === "EUR" ? "JPY" : "EUR" },
    timestamp: { timestamp: timestamp + 1 },
    minute: { timestamp: timestamp - MINUTE },
  };
  return changes[change];
}

/** A trade as somebody may write it. */
function spelled(symbol: string, { timestamp, ...rest }: Fields, spelling: Spelling): string {
  const fields = { ...rest, symbol, timestamp };
  const isText = Number.isInteger(timestamp) && timestamp >= 0 && timestamp < 2e14;
  switch (spelling) {
    case "plain":
      return JSON.stringify(fields);
    case "RFC 3339":
      return JSON.stringify({ ...fields, timestamp: isText ? new Date(timestamp).toISOString() : timestamp });
    case "with offset": {
      const local = isText ? new Date(timestamp + 330 * MINUTE).toISOString().replace("Z", "+05:30") : timestamp;
      return JSON.stringify({ ...fields, timestamp: local });
    }
    case "ticker":
      return JSON.stringify({ ...fields, symbol: undefined, ticker: symbol });
    case "unknown fields":
      return JSON.stringify({ venue: { a: [1, null, "x"] }, ...fields, id: 7, schema: 9, key: "ü", amountUsd: 1 });
    case "other order":
      return ` ${JSON.stringify(Object.fromEntries(Object.entries(fields).reverse()), null, 1)}\n`;
  }
}
