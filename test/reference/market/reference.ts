import type { DeadLetterCode } from "../../../domain/errors.ts";
import type { Cause } from "../../../domain/records.ts";
import type { ComplianceRule } from "../../../domain/reference.ts";
import type { Semantics } from "../../../domain/semantics.ts";
import { topics } from "../../../domain/topics.ts";
import type { LogRecord, Run } from "../log.ts";
import { type Keyed, Partition, runPartitions } from "../partition.ts";
import { type BarFields, Bars, type Known } from "./bars.ts";
import { exactSum } from "./exact.ts";
import { ReferenceData } from "./reference-data.ts";
import { readTrade, sameContent, type Trade } from "./trade.ts";

const MINUTE = 60_000;
const RANK = { pending: 0, executed: 1, cancelled: 2 };

interface Symbol extends Keyed {
  /** Trades whose ids are kept, in the order of their first sight. */
  trades: KnownTrade[];
  /** Trades of this minute and older ones were let go. */
  letGo: number;
  bars: readonly Bars[];
}

interface KnownTrade extends Known {
  /** Alerts that it raised, without their status. */
  readonly alerts: Alert[];
}

interface Alert {
  readonly rule: string;
  readonly kind: string;
  readonly severity: string;
  readonly figure: number | null;
  readonly limit: number | null;
  readonly reference: string | null;
}

/** What is kept for good of an account in a symbol: its signed quantities and amounts, all of them. */
interface Position {
  readonly symbol: string;
  readonly account: string;
  readonly quantities: number[];
  readonly notionals: number[];
  trades: number;
  records: number;
}

/** One partition of the market. It keeps every trade. */
class MarketPartition extends Partition<Symbol> {
  protected readonly log = topics.trades.name;
  protected readonly keyField = "symbol";
  private readonly reference = new ReferenceData();
  /** Of the newest bar with a close, by symbol; kept for good, the one that was told longest ago first. */
  private readonly lastCloses = new Map<string, { readonly start: number; readonly close: number }>();
  private readonly positions: Position[] = [];

  protected get maxKeys(): number {
    return this.settings.maxSymbolsPerPartition;
  }

  protected control(record: LogRecord): boolean {
    return this.reference.take(record.headers);
  }

  protected data(record: LogRecord): void {
    const trade = readTrade(record);
    if (trade instanceof Set) return this.refuse(record, trade);
    const one = trade as Trade;
    const guarded = this.guard(record, [one.timestamp]);
    if (guarded !== undefined) return this.deadLetter(record, guarded);
    const symbol = this.find(one.symbol);
    const known = symbol && !this.isTooLate(symbol, one) ? this.lookUp(symbol, one) : undefined;
    if (known && !sameContent(known.trade, one)) return this.deadLetter(record, "identity-reused");
    const isCopy = known !== undefined && RANK[one.status] <= RANK[known.status];
    const keyed = this.sawLife(one.symbol);
    if (isCopy) this.duplicates += 1;
    else this.accept(keyed, one);
  }

  /** With several codes, the record may have any of them. */
  private refuse(record: LogRecord, codes: ReadonlySet<DeadLetterCode>): void {
    this.deadLetter(record, [...codes].join("|") as DeadLetterCode);
  }

  private isTooLate(symbol: Symbol, { timestamp }: Trade): boolean {
    const minute = minuteOf(timestamp);
    const gone = this.watermark(symbol) >= minute + 5 * MINUTE + this.settings.allowedLatenessMs;
    return minute <= symbol.finalUpTo || gone || minute <= symbol.letGo;
  }

  private lookUp(symbol: Symbol, { trade_id }: Trade): KnownTrade | undefined {
    return symbol.trades.find(({ trade }) => trade.trade_id === trade_id);
  }

  private accept(symbol: Symbol, trade: Trade): void {
    const isTooLate = this.isTooLate(symbol, trade);
    const old = isTooLate ? undefined : this.lookUp(symbol, trade);
    const before = old?.status;
    const usd = this.reference.usd(trade.amount, trade.currency);
    const known: KnownTrade = old ?? {
      trade,
      status: trade.status,
      seen: this.source.offset,
      amountUsd: null,
      alerts: [],
    };
    known.trade = trade;
    known.status = trade.status;
    const becomesExecuted = trade.status === "executed";
    const isUndone = before === "executed" && trade.status === "cancelled";
    if (becomesExecuted) known.amountUsd = usd;
    if (!isTooLate) this.enrich(trade, usd);
    const { finalUpTo, letGo } = symbol;
    const bounds = { watermark: this.watermark(symbol), finalUpTo, letGo, isTooLate };
    const late = this.writer(topics.marketLate.name, symbol.id);
    for (const bars of symbol.bars) bars.apply(known, before, bounds, late, this.barWriter(symbol));
    if (!isTooLate) {
      if (old === undefined) symbol.trades.push(known);
      if (becomesExecuted) this.judge(symbol, known, this.execute(symbol.id, known));
      if (isUndone) this.undo(symbol.id, known);
      this.letGo();
    }
    this.moveWatermark(symbol, [trade.timestamp]);
    this.forget();
  }

  private enrich(trade: Trade, amountUsd: number | null): void {
    const { version: reference } = this.reference;
    const flags = this.reference.flags(trade.symbol);
    this.write(topics.marketEnriched.name, trade.symbol, { ...fieldsOf(trade), amountUsd, flags, reference });
  }

  /** The position of an executed trade. Gives the alert of an account that is not kept. */
  private execute(symbol: string, known: KnownTrade): Alert | undefined {
    const { account, side } = known.trade;
    if (account === undefined || side === undefined) return undefined;
    const { maxAccountsPerSymbol, maxKeptPerPartition } = this.settings;
    const accounts = this.positions.filter((position) => position.symbol === symbol).length;
    const untracked = (figure: number, limit: number): Alert => {
      const rule = "position-untracked";
      return { rule, kind: rule, severity: "HIGH", figure, limit, reference: null };
    };
    if (this.positionOf(symbol, account) === undefined) {
      if (accounts >= maxAccountsPerSymbol) return untracked(accounts, maxAccountsPerSymbol);
      if (this.positions.length >= maxKeptPerPartition) return untracked(this.positions.length, maxKeptPerPartition);
      this.positions.push({ symbol, account, quantities: [], notionals: [], trades: 0, records: 0 });
    }
    this.move(symbol, known, 1);
    return undefined;
  }

  private positionOf(symbol: string, account: string): Position | undefined {
    return this.positions.find((position) => position.symbol === symbol && position.account === account);
  }

  /** Adds a trade to the position of its account, or takes it out. */
  private move(symbol: string, { trade, amountUsd }: KnownTrade, sign: 1 | -1): void {
    const { account, side, quantity, timestamp } = trade;
    const position = this.positionOf(symbol, account!)!;
    const signed = sign * (side === "buy" ? 1 : -1);
    position.quantities.push(signed * (quantity ?? 0));
    position.notionals.push(signed * (amountUsd ?? 0));
    position.trades += sign;
    this.write(topics.marketPositions.name, symbol, {
      account,
      quantity: exactSum(position.quantities),
      notional: exactSum(position.notionals),
      trades: position.trades,
      revision: position.records,
      timestamp,
    });
    position.records += 1;
  }

  /** Raises what an executed trade breaks. */
  private judge(symbol: Symbol, known: KnownTrade, untracked: Alert | undefined): void {
    const broken = this.reference.rules.flatMap((rule) => this.broken(symbol, known, rule) ?? []);
    for (const alert of untracked ? [untracked, ...broken] : broken) {
      known.alerts.push(alert);
      this.alert(symbol.id, known, alert, "raised");
    }
  }

  private broken(symbol: Symbol, { trade, amountUsd }: KnownTrade, rule: ComplianceRule): Alert | undefined {
    const { name, kind, severity, symbols } = rule;
    const found = (figure: number | null, limit: number | null): Alert => {
      return { rule: name, kind, severity, figure, limit, reference: this.reference.version };
    };
    if (symbols !== undefined && !symbols.includes(symbol.id)) return undefined;
    switch (rule.kind) {
      case "restricted-symbol":
        return found(null, null);
      case "trade-amount":
        return amountUsd !== null && amountUsd > rule.maxUsd ? found(amountUsd, rule.maxUsd) : undefined;
      case "price-deviation": {
        const close = this.lastCloses.get(symbol.id)?.close ?? 0;
        if (trade.price === undefined || close <= 0) return undefined;
        const percent = (Math.abs(trade.price - close) / close) * 100;
        return percent > rule.maxPercent ? found(percent, rule.maxPercent) : undefined;
      }
      case "account-rate": {
        if (trade.account === undefined) return undefined;
        const of = (other: Trade): boolean =>
          other.account === trade.account && minuteOf(other.timestamp) === minuteOf(trade.timestamp);
        const rate = symbol.trades.filter((one) => one.status === "executed" && of(one.trade)).length;
        return rate > rule.maxTrades ? found(rate, rule.maxTrades) : undefined;
      }
    }
  }

  private undo(symbol: string, known: KnownTrade): void {
    const isTracked = !known.alerts.some(({ rule }) => rule === "position-untracked");
    const { account, side } = known.trade;
    if (isTracked && account !== undefined && side !== undefined) this.move(symbol, known, -1);
    for (const alert of known.alerts) this.alert(symbol, known, alert, "withdrawn");
  }

  private alert(symbol: string, known: KnownTrade, alert: Alert, status: "raised" | "withdrawn"): void {
    const { reference, figure, limit, ...rule } = alert;
    this.write(topics.marketAlerts.name, symbol, {
      alertId: `${symbol}/${known.trade.trade_id}/${alert.rule}`,
      ...rule,
      status,
      revision: status === "raised" ? 0 : 1,
      figure,
      limit,
      trade: { ...fieldsOf(known.trade), amountUsd: known.amountUsd },
      reference,
    });
  }

  /** Lets the oldest minutes go while there are too many ids. */
  private letGo(): void {
    while (this.keys.reduce((sum, { trades }) => sum + trades.length, 0) > this.settings.maxTradesPerPartition) {
      const oldest = Math.min(
        ...this.keys.flatMap(({ trades }) => trades.map(({ trade }) => minuteOf(trade.timestamp))),
      );
      for (const symbol of this.keys) {
        const kept = symbol.trades.filter(({ trade }) => minuteOf(trade.timestamp) !== oldest);
        if (kept.length < symbol.trades.length) symbol.letGo = oldest;
        symbol.trades = kept;
      }
    }
  }

  /** Forgets ids whose trades would be too late. */
  private forget(): void {
    for (const symbol of this.keys) symbol.trades = symbol.trades.filter(({ trade }) => !this.isTooLate(symbol, trade));
  }

  private barWriter({ id, settings }: Symbol): (fields: BarFields) => void {
    return (fields) => {
      const { operator, window, close } = fields;
      this.write(topics.marketAggregated.name, id, fields);
      const newest = this.lastCloses.get(id)?.start ?? -Infinity;
      if (operator !== "tumbling-60000" || window.start < newest || close === null) return;
      this.lastCloses.delete(id);
      this.lastCloses.set(id, { start: window.start, close });
      while (this.lastCloses.size > settings.maxKeptPerPartition)
        this.lastCloses.delete([...this.lastCloses.keys()][0]!);
    };
  }

  protected fire(symbol: Symbol, watermark: number, cause: Cause): void {
    for (const bars of symbol.bars) bars.fireDue(watermark, cause, this.barWriter(symbol));
  }

  protected create(keyed: Keyed): Symbol {
    return { ...keyed, ...this.nothingOpen() };
  }

  protected clear(symbol: Symbol): void {
    Object.assign(symbol, this.nothingOpen());
  }

  protected continue(): void {
    // Nothing of a symbol outlives its switch but what is kept for good.
  }

  private nothingOpen(): Pick<Symbol, "trades" | "letGo" | "bars"> {
    const bars = [MINUTE, 5 * MINUTE].map((size) => new Bars(size, this.settings));
    return { trades: [], letGo: -Infinity, bars };
  }
}

function minuteOf(timestamp: number): number {
  return Math.floor(timestamp / MINUTE) * MINUTE;
}

/** A trade as outputs have it. */
function fieldsOf({ symbol: _symbol, received: _received, ...fields }: Trade): object {
  return fields;
}

/** The outputs that a log of trades must have, see `runPartitions`. */
export function marketReferenceRun(
  log: readonly LogRecord[],
  settings: Semantics,
  flush: boolean,
  override: Partial<Semantics> = {},
): Run {
  return runPartitions((...given) => new MarketPartition(...given), log, settings, flush, override);
}
