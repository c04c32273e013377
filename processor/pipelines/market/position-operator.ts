import { POSITION_UNTRACKED } from "../../../domain/market.ts";
import type { Semantics } from "../../../domain/semantics.ts";
import { ExactSum } from "../../operators/exact-sum.ts";
import { Piece } from "../../runtime/json-bytes.ts";
import { KeptState } from "../../runtime/kept.ts";
import type { KeyedState } from "../../runtime/keyed-state.ts";
import type { Operator, StepContext } from "../../runtime/operator.ts";
import { raise } from "./alerts.ts";
import type { BookedTrade } from "./trade-book.ts";
import type { TradeMessage } from "./trade-message.ts";

const QUANTITY = new Piece(',"quantity":');
const NOTIONAL = new Piece(',"notional":');
const TRADES = new Piece(',"trades":');
const REVISION = new Piece(',"revision":');
const TIMESTAMP = new Piece(',"timestamp":');

/** The net position of an account in a symbol. */
interface Position {
  /** Its name in the kept state: `<symbol>/<account>`. */
  readonly name: string;
  readonly quantity: ExactSum;
  readonly notional: ExactSum;
  trades: number;
  /** Records that were written of it. */
  records: number;
  /** Whether the kept state knows that it has changed since it was encoded. */
  touched: boolean;
}

/** The positions of a symbol, as its key's state has them. */
interface SymbolPositions {
  /** By account; null before the first one. */
  byAccount: ReadonlyMap<string, Position> | null;
  /** The first fields of their records, up to the account: JSON of the symbol. */
  head: Piece | null;
}

/** The positions of a partition, kept for good by `<symbol>/<account>`. */
export class Positions {
  readonly state = new KeptState<Position>({
    name: "positions",
    layout: 1,
    scope: "key",
    encode: (position, writer) => {
      const { quantity, notional, trades, records } = position;
      position.touched = false;
      quantity.encode(writer);
      notional.encode(writer);
      writer.f64(trades);
      writer.f64(records);
    },
    decode: (reader, name) => ({
      name,
      quantity: ExactSum.decode(reader),
      notional: ExactSum.decode(reader),
      trades: reader.f64(),
      records: reader.f64(),
      touched: false,
    }),
  });
  /** By symbol, then by account; null when they were not looked up since a restore. */
  #bySymbol: Map<string, Map<string, Position>> | null = null;

  /** The positions of a symbol, by account. */
  of(symbol: string): ReadonlyMap<string, Position> {
    return this.#symbols().get(symbol) ?? NO_POSITIONS;
  }

  add(symbol: string, account: string): Position {
    const name = `${symbol}/${account}`;
    const sums = { quantity: new ExactSum(), notional: new ExactSum() };
    const position = { name, ...sums, trades: 0, records: 0, touched: true };
    this.#insert(this.#symbols(), symbol, account, position);
    this.state.set(position.name, position);
    return position;
  }

  #symbols(): Map<string, Map<string, Position>> {
    if (this.#bySymbol) return this.#bySymbol;
    this.#bySymbol = new Map();
    for (const [name, position] of this.state.entries()) {
      const { symbol, account } = readName(name);
      this.#insert(this.#bySymbol, symbol, account, position);
    }
    return this.#bySymbol;
  }

  #insert(symbols: Map<string, Map<string, Position>>, symbol: string, account: string, position: Position): void {
    const positions = symbols.get(symbol);
    if (positions) positions.set(account, position);
    else symbols.set(symbol, new Map([[account, position]]));
  }
}

/** The symbol and the account of `<symbol>/<account>`; a symbol has no slash. */
function readName(name: string): { symbol: string; account: string } {
  const slash = name.indexOf("/");
  return { symbol: name.slice(0, slash), account: name.slice(slash + 1) };
}

/** Those of a symbol that has none: looking one up leaves nothing behind. */
const NO_POSITIONS: ReadonlyMap<string, Position> = new Map<string, Position>([]);

/** Where positions and alerts go, and how many positions are kept. */
export interface PositionOptions extends Pick<Semantics, "maxAccountsPerSymbol" | "maxKeptPerPartition"> {
  readonly to: string;
  readonly alertsTo: string;
  readonly positions: Positions;
}

/**
 * Net position of each account: sums that do not depend on the order of trades. A record is written after each executed
 * trade with account and side, and when one of them is cancelled.
 */
export class PositionOperator implements Operator<SymbolPositions, TradeMessage> {
  readonly name = "positions";
  readonly layout = 1;
  readonly #options: PositionOptions;

  constructor(options: PositionOptions) {
    this.#options = options;
  }

  create(): SymbolPositions {
    return { byAccount: null, head: null };
  }

  apply(
    own: SymbolPositions,
    { key }: KeyedState,
    message: TradeMessage,
    _watermark: number,
    context: StepContext,
  ): void {
    const { trade } = message;
    if (trade === null || trade.account === null || trade.side === null) return;
    const { positions } = this.#options;
    if (own.byAccount === null && positions.of(key).size > 0) own.byAccount = positions.of(key);
    const position = own.byAccount?.get(trade.account);
    if (message.executes) {
      if (position) this.#change(own, key, trade, position, 1, context);
      else if (this.#hasRoom(key)) this.#change(own, key, trade, positions.add(key, trade.account), 1, context);
      else this.#untracked(key, trade, context);
    } else if (message.revokes && trade.inPosition) {
      this.#change(own, key, trade, position!, -1, context);
    }
  }

  #hasRoom(symbol: string): boolean {
    const { positions, maxAccountsPerSymbol, maxKeptPerPartition } = this.#options;
    return positions.of(symbol).size < maxAccountsPerSymbol && positions.state.size < maxKeptPerPartition;
  }

  #untracked(symbol: string, trade: BookedTrade, context: StepContext): void {
    const { positions, maxAccountsPerSymbol, maxKeptPerPartition, alertsTo } = this.#options;
    const accounts = positions.of(symbol).size;
    const isFull = accounts >= maxAccountsPerSymbol;
    context.counters.add("processor.positions-untracked");
    const [figure, limit] = isFull ? [accounts, maxAccountsPerSymbol] : [positions.state.size, maxKeptPerPartition];
    const alert = {
      rule: POSITION_UNTRACKED,
      kind: POSITION_UNTRACKED,
      severity: "HIGH",
      figure,
      limit,
      reference: null,
    };
    raise(alertsTo, symbol, trade, alert, context);
  }

  #change(
    own: SymbolPositions,
    symbol: string,
    trade: BookedTrade,
    position: Position,
    sign: 1 | -1,
    context: StepContext,
  ): void {
    const { side, quantity, amountUsd, time } = trade;
    const direction = side === "buy" ? sign : -sign;
    if (quantity === quantity) position.quantity.add(direction * quantity);
    if (amountUsd === amountUsd) position.notional.add(direction * amountUsd);
    position.trades += sign;
    trade.inPosition = sign === 1;
    if (!position.touched) this.#options.positions.state.touch(position.name);
    position.touched = true;
    const bytes = context.out.open(this.#options.to);
    bytes.piece((own.head ??= new Piece(`,"symbol":"${symbol}","account":`)));
    bytes.text(trade.account!);
    bytes.piece(QUANTITY);
    bytes.number(position.quantity.value);
    bytes.piece(NOTIONAL);
    bytes.number(position.notional.value);
    bytes.piece(TRADES);
    bytes.number(position.trades);
    bytes.piece(REVISION);
    bytes.number(position.records++);
    bytes.piece(TIMESTAMP);
    bytes.number(time);
    context.out.close(symbol);
  }

  /** Writes nothing: positions are kept for good. */
  encode(): void {}

  decode(): SymbolPositions {
    return this.create();
  }
}
