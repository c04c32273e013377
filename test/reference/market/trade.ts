import type { DeadLetterCode } from "../../../domain/errors.ts";
import { MAX_EPOCH_MS } from "../../../domain/time.ts";
import type { LogRecord } from "../log.ts";

/** A trade that passed validation. */
export interface Trade {
  readonly symbol: string;
  readonly trade_id: string;
  /** Epoch ms. */
  readonly timestamp: number;
  readonly price: number | undefined;
  readonly quantity: number | undefined;
  readonly amount: number | undefined;
  readonly currency: string;
  readonly side: "buy" | "sell" | undefined;
  readonly account: string | undefined;
  readonly status: "pending" | "executed" | "cancelled";
  /** The JSON object as it came. */
  readonly received: Fields;
}

type Fields = Readonly<Record<string, unknown>>;
/** Codes of what is wrong with a record. */
export type Wrong = ReadonlySet<DeadLetterCode>;

const SYMBOL = /^[A-Z0-9.:_-]{1,32}$/;
/** RFC 3339, section 5.6; the offset is required there. */
const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:Z|([+-])(\d{2}):(\d{2}))$/i;
const MAX_BYTES = 256 * 1024;
const AGREEMENT = 1e-6;
/** The largest figure that is taken. */
const MAX_FIGURE = 1e100;

/** Reads a record and validates it by the contract of a trade; gives the codes of all that is wrong. */
export function readTrade(record: LogRecord): Trade | Wrong {
  const key = record.key ?? "";
  const value = record.value ?? new Uint8Array();
  const wrong = new Set<DeadLetterCode>(SYMBOL.test(key) ? [] : ["invalid-symbol"]);
  if (value.length > MAX_BYTES) return wrong.add("payload-too-large");
  let fields: unknown;
  try {
    fields = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(value));
  } catch {
    return wrong.add("invalid-json");
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) return wrong.add("invalid-message");
  return readFields(key, fields as Fields, wrong);
}

function readFields(key: string, fields: Fields, wrong: Set<DeadLetterCode>): Trade | Wrong {
  const isIn = (choices: readonly unknown[]) => (value: unknown) => choices.includes(value);
  const isText = (length: number) => (value: unknown) =>
    typeof value === "string" && Array.from(value).length >= 1 && Array.from(value).length <= length;
  /** The field, if it is there and right. */
  const take = <T>(name: string, isRight: (value: unknown) => boolean): T | undefined => {
    const value = fields[name];
    if (value === undefined) return undefined;
    if (!isRight(value)) wrong.add("invalid-message");
    return isRight(value) ? (value as T) : undefined;
  };
  const number = (name: string, isInRange: (x: number) => boolean): number | undefined => {
    const value = take<number>(name, (x) => typeof x === "number");
    if (value === undefined || (value <= MAX_FIGURE && isInRange(value))) return value;
    wrong.add("out-of-range");
    return undefined;
  };
  const symbols = [fields["symbol"], fields["ticker"]].filter((symbol) => symbol !== undefined);
  if (symbols.length === 0 || symbols.some((symbol) => symbol !== key)) wrong.add("invalid-symbol");
  if (symbols.length === 0 || symbols.some((symbol) => typeof symbol !== "string")) wrong.add("invalid-message");
  const id = take<string>("trade_id", (x) => typeof x === "string" && /^[A-Za-z0-9:_.-]{1,64}$/.test(x));
  if (fields["trade_id"] === undefined) wrong.add("invalid-message");
  const at = time(fields["timestamp"]);
  if (typeof at === "string") wrong.add(at);
  const price = number("price", (x) => x > 0);
  const quantity = number("quantity", (x) => x > 0);
  const amount = number("amount", (x) => x >= 0);
  if (fields["price"] === undefined && fields["amount"] === undefined) wrong.add("invalid-message");
  if (price !== undefined && quantity !== undefined && amount !== undefined) {
    const product = price * quantity;
    if (!(Math.abs(product - amount) <= AGREEMENT * Math.max(Math.abs(amount), Math.abs(product))))
      wrong.add("invalid-message");
  }
  const currency = take<string>("currency", (x) => typeof x === "string" && /^[A-Z]{3}$/.test(x)) ?? "USD";
  const side = take<Trade["side"]>("side", isIn(["buy", "sell"]));
  const account = take<string>("account", isText(64));
  const status = take<Trade["status"]>("status", isIn(["pending", "executed", "cancelled"])) ?? "executed";
  if (wrong.size > 0) return wrong;
  const rest = { symbol: key, trade_id: id!, timestamp: at as number, currency, side, account, status };
  return { ...rest, ...derived(price, quantity, amount), received: fields };
}

/** What can be derived of the three, is: as a number that could have been given. */
function derived(
  price: number | undefined,
  quantity: number | undefined,
  amount: number | undefined,
): Pick<Trade, "price" | "quantity" | "amount"> {
  const positive = (x: number): number | undefined => (x > 0 && x <= MAX_FIGURE ? x : undefined);
  if (price !== undefined && quantity !== undefined) return { price, quantity, amount: amount ?? price * quantity };
  if (price !== undefined && amount !== undefined) return { price, amount, quantity: positive(amount / price) };
  if (quantity !== undefined && amount !== undefined) return { quantity, amount, price: positive(amount / quantity) };
  return { price, quantity, amount };
}

function time(value: unknown): number | DeadLetterCode {
  if (typeof value === "number") return Math.abs(value) <= MAX_EPOCH_MS ? value : "out-of-range";
  const parts = typeof value === "string" ? RFC_3339.exec(value) : null;
  if (parts === null) return "invalid-message";
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const midnight = Date.UTC(year, month - 1, day);
  if (new Date(midnight).getUTCDate() !== day || new Date(midnight).getUTCMonth() !== month - 1)
    return "invalid-message";
  const [offsetHour, offsetMinute] = [Number(parts[9] ?? 0), Number(parts[10] ?? 0)];
  if (hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) return "invalid-message";
  const offset = (offsetHour * 60 + offsetMinute) * (parts[8] === "-" ? -1 : 1);
  const milliseconds = Number((parts[7] ?? "").padEnd(3, "0").slice(0, 3));
  return midnight + ((hour * 60 + minute - offset) * 60 + second) * 1000 + milliseconds;
}

/** Whether two trades of an id are the same: all but their status. */
export function sameContent(one: Trade, other: Trade): boolean {
  const names = ["symbol", "timestamp", "price", "quantity", "amount", "currency", "side", "account"] as const;
  return names.every((name) => one[name] === other[name]);
}
