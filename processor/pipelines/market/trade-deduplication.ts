import { tradeStatuses } from "../../../domain/market.ts";
import type { EpochMs } from "../../../domain/time.ts";
import type { Admission, Deduplication } from "../../runtime/deduplication.ts";
import type { KeyedState } from "../../runtime/keyed-state.ts";
import type { EnrichOperator } from "./enrich-operator.ts";
import type { BookedTrade, TradeBook } from "./trade-book.ts";
import type { TradeMessage } from "./trade-message.ts";

/** Where the book stands among the operators. */
const BOOK = 0;

/**
 * Finds copies of trades by id and content in the symbol's book. A higher status of a known trade is news; of a trade
 * that no bar takes any more a copy can't be told.
 */
export class TradeDeduplication implements Deduplication<null, TradeMessage> {
  readonly #enrich: EnrichOperator;

  constructor(enrich: EnrichOperator) {
    this.#enrich = enrich;
  }

  create(): null {
    return null;
  }

  judge(keyed: KeyedState, message: TradeMessage, watermark: EpochMs): Admission {
    const book = keyed.operatorStates[BOOK] as TradeBook | undefined;
    if (!book || this.#enrich.isTooLate(book, keyed, message.firstTime, watermark)) return "new";
    const known = book.find(message);
    if (!known) return "new";
    const difference = differenceOf(known, message);
    if (difference !== null) return reused(message, difference);
    if (tradeStatuses.indexOf(message.status) <= tradeStatuses.indexOf(known.status)) return "duplicate";
    message.known = known;
    return "new";
  }

  /** The book remembers. */
  add(): void {}

  encode(): void {}

  decode(): null {
    return null;
  }
}

const fields = ["price", "quantity", "amount", "currency", "side", "account"] as const;

/** The first field in which two trades differ, as a sentence; null when they are the same but for the status. */
function differenceOf(known: BookedTrade, message: TradeMessage): string | null {
  if (known.time !== message.firstTime) return `its timestamp was ${known.time}, now it is ${message.firstTime}`;
  const different = fields.find((field) => !Object.is(known[field], message[field]));
  return different ? `its ${different} was ${text(known[different])}, now it is ${text(message[different])}` : null;
}

function text(value: string | number | null): string {
  return value === null || Number.isNaN(value) ? "absent" : String(value);
}

function reused({ tradeId, key }: TradeMessage, difference: string): Admission {
  const message =
    `trade ${tradeId} of ${key} was accepted with other content: ${difference}. ` + "Give each trade its own id";
  return { code: "identity-reused", message };
}
