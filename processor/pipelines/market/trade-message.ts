import type { TradeSide, TradeStatus } from "../../../domain/market.ts";
import { Message } from "../../runtime/message.ts";
import type { BookedTrade, TradeBook } from "./trade-book.ts";

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** A decoded trade: one row at `t[0]`. Figures that it has not are NaN. */
export class TradeMessage extends Message {
  override readonly names = { first: "timestamp", last: "timestamp", clock: "the sender's clock" };
  /** Its id: the bytes [idFrom, idTo) of `idBytes`, ASCII. Lent. */
  idBytes: Buffer = Buffer.alloc(0);
  idFrom = 0;
  idTo = 0;
  price = NaN;
  quantity = NaN;
  /** As given, or price × quantity. */
  amount = NaN;
  currency = "";
  side: TradeSide | null = null;
  account: string | null = null;
  status: TradeStatus = "executed";
  /** The JSON of the trade as it was received. Lent. */
  bytes: Uint8Array = new Uint8Array(0);

  /** What the book has of this id, found by the deduplication; null for a new one. */
  known: BookedTrade | null = null;

  // ---- What the first operator finds out for those behind it ----

  /** Whether no window takes it any more. */
  tooLate = false;
  /** The trade's status before this message; null for a new one. */
  statusBefore: TradeStatus | null = null;
  /** The trade in the book, this message included; null for one that is too late. */
  trade: BookedTrade | null = null;
  /** The book of its symbol; null for one that is too late. */
  book: TradeBook | null = null;

  constructor() {
    super(0);
  }

  get tradeId(): string {
    return this.idBytes.toString("latin1", this.idFrom, this.idTo);
  }

  /** The trade as it was received. */
  get received(): object {
    return JSON.parse(utf8.decode(this.bytes)) as object;
  }

  /** Whether this message makes its trade executed. */
  get executes(): boolean {
    return this.trade !== null && this.status === "executed";
  }

  /** Whether it cancels an executed trade. */
  get revokes(): boolean {
    return this.trade !== null && this.status === "cancelled" && this.statusBefore === "executed";
  }
}
