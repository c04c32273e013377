import { createHash } from "node:crypto";
import type { Db } from "mongodb";
import { collections } from "../../domain/names.ts";
import type { AlertRecord, BarRecord, PositionRecord } from "../../domain/records.ts";
import { HOUR, type EpochMs, type Milliseconds } from "../../domain/time.ts";

/**
 * The bars of a symbol and operator that start within an hour. What a route reads has ids that can be calculated: the
 * local server has no other index, and reads a whole collection for any other filter.
 */
export interface BarsDocument {
  /** `<symbol>/<operator>/<start of the hour>` */
  readonly _id: string;
  /** The newest revision of each bar, by its start: `revised([revision], bar)`. */
  readonly bars: Readonly<Record<string, string>>;
  readonly expireAt: Date;
}

/** A bar as it is stored: its record without the schema's number. */
export type StoredBar = Omit<BarRecord, "schema">;

/** Length of time whose bars are in a document. */
export const BARS_DOCUMENT_MS: Milliseconds = HOUR;

/** `start`: of the bar, epoch ms. */
export function barsDocumentId(symbol: string, operator: string, start: EpochMs): string {
  return `${symbol}/${operator}/${Math.floor(start / BARS_DOCUMENT_MS) * BARS_DOCUMENT_MS}`;
}

/**
 * Positions are kept twice: by account and by symbol. Each is in so many documents, each of which has some of the
 * symbols, or of the accounts (at most 10,000 of a symbol), so that none outgrows a document.
 */
const positionParts = { account: 16, symbol: 64 } as const;
export type PositionKey = keyof typeof positionParts;

/** A part of the positions of an account, or in a symbol. */
export interface PositionsDocument {
  /** `account/<part>/<account>` or `symbol/<part>/<symbol>` */
  readonly _id: string;
  /** The newest position of each symbol, or account: `revised([revision], position)`, by `fieldName`. */
  readonly positions: Readonly<Record<string, string>>;
}

/** A position as it is stored: its record without the schema's number. */
export type StoredPosition = Omit<PositionRecord, "schema">;

/** The ids of all documents of an account or a symbol. */
export function positionsDocumentIds(key: PositionKey, name: string): string[] {
  return Array.from({ length: positionParts[key] }, (_, part) => `${key}/${part}/${name}`);
}

/** The id of the document of an account or a symbol that has a position, by the other one of the two. */
export function positionsDocumentId(key: PositionKey, name: string, other: string): string {
  return `${key}/${createHash("sha256").update(other).digest()[0]! % positionParts[key]}/${name}`;
}

/** An alert in MongoDB. What its records share is set by either. */
export interface AlertDocument extends Pick<
  AlertRecord,
  "symbol" | "rule" | "kind" | "severity" | "figure" | "limit" | "reference"
> {
  /** Id of the alert. */
  readonly _id: string;
  /** Highest revision: 0 raised, 1 withdrawn. */
  readonly revision: number;
  /** Id of the record, by revision. */
  readonly recordIds: Readonly<Record<string, string>>;
  /** Event time of the trade. */
  readonly timestamp: EpochMs;
  readonly trade: Omit<AlertRecord["trade"], "status">;
  /** Status of the trade, by revision. */
  readonly tradeStatus: Readonly<Record<string, AlertRecord["trade"]["status"]>>;
  readonly expireAt: Date;
}

/** A symbol in MongoDB. */
export interface SymbolDocument {
  /** The symbol. */
  readonly _id: string;
  /** Newest event time that is known. */
  readonly lastSeen: EpochMs;
  /** By operator: the starts of the first and the last bar, and `revised([start, revision], newest)`. */
  readonly bars?: Readonly<
    Record<string, { readonly first: EpochMs; readonly last: EpochMs; readonly newest: string }>
  >;
  readonly expireAt: Date;
}

/** What a symbol's document says of the newest bar of an operator. */
export interface NewestBar {
  readonly close: number | null;
  readonly trades: number;
}

/** Creates the indexes of the market's collections, if they do not exist. */
export async function createMarketIndexes(db: Db): Promise<void> {
  const expiry = { key: { expireAt: 1 }, name: "expiry", expireAfterSeconds: 0 } as const;
  await db.collection<BarsDocument>(collections.bars).createIndexes([expiry]);
  await db
    .collection<AlertDocument>(collections.alerts)
    .createIndexes([
      { key: { timestamp: -1, _id: -1 }, name: "newest" },
      { key: { symbol: 1, timestamp: -1, _id: -1 }, name: "newest-of-symbol" },
      expiry,
    ]);
  await db
    .collection<SymbolDocument>(collections.symbols)
    .createIndexes([{ key: { lastSeen: -1, _id: -1 }, name: "newest" }, expiry]);
}
