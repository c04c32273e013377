import type { Filter } from "mongodb";
import type { z } from "zod";
import type { AccountPosition, Alert, MarketSymbol, queries } from "../../domain/api.ts";
import { barOperators } from "../../domain/market.ts";
import { afterPosition, decodeCursor, isAfter, type Position } from "../shared/cursor.ts";
import {
  positionsDocumentIds,
  type AlertDocument,
  type NewestBar,
  type PositionsDocument,
  type StoredPosition,
  type SymbolDocument,
} from "../shared/market-documents.ts";
import { valueOf } from "../shared/revised.ts";

export type AlertQuery = z.infer<typeof queries.alerts>;
export type PositionQuery = z.infer<typeof queries.positions>;
export type SymbolQuery = z.infer<typeof queries.symbols>;

const [minutes, fiveMinutes] = barOperators as readonly [string, string];

/** What a cursor of the list of symbols is bound to. */
export const symbolListIdentity = ["symbols"];

/** MongoDB filter of the list of symbols that have not expired at `now`, sorted by when they were last seen. */
export function symbolFilter({ cursor }: SymbolQuery, now: Date): Filter<SymbolDocument> {
  const all: Filter<SymbolDocument>[] = [{ expireAt: { $gt: now } }];
  if (cursor !== undefined)
    all.push(afterPosition("lastSeen", decodeCursor(cursor, symbolListIdentity)) as Filter<SymbolDocument>);
  return { $and: all };
}

/** A symbol in the form of the API. */
export function toSymbol({ _id, lastSeen, bars = {} }: SymbolDocument): MarketSymbol {
  const newest = (operator: string): NewestBar | undefined => {
    const text = bars[operator]?.newest;
    return text === undefined ? undefined : valueOf<NewestBar>(text, 2);
  };
  return {
    symbol: _id,
    lastSeen,
    lastClose: newest(minutes)?.close ?? null,
    trades: newest(fiveMinutes)?.trades ?? null,
  };
}

/** What a cursor of a list of alerts is bound to. */
export function alertListIdentity({ symbol, from, to, status }: AlertQuery): unknown {
  return ["alerts", symbol, from, to, status];
}

/** MongoDB filter of the alerts about trades of [from, to) that have not expired at `now`. */
export function alertFilter(query: AlertQuery, now: Date): Filter<AlertDocument> {
  const all: Filter<AlertDocument>[] = [{ expireAt: { $gt: now } }];
  if (query.symbol !== undefined) all.push({ symbol: query.symbol });
  if (query.status !== undefined) all.push({ revision: query.status === "withdrawn" ? { $gte: 1 } : 0 });
  if (query.from !== undefined) all.push({ timestamp: { $gte: query.from } });
  if (query.to !== undefined) all.push({ timestamp: { $lt: query.to } });
  if (query.cursor !== undefined)
    all.push(afterPosition("timestamp", decodeCursor(query.cursor, alertListIdentity(query))) as Filter<AlertDocument>);
  return { $and: all };
}

/** An alert in the form of the API. */
export function toAlert(document: AlertDocument): Alert {
  const { _id, symbol, rule, kind, severity, revision, figure, limit, trade, reference } = document;
  return {
    id: document.recordIds[revision] ?? "",
    symbol,
    alertId: _id,
    rule,
    kind,
    severity,
    status: revision === 0 ? "raised" : "withdrawn",
    revision,
    figure,
    limit,
    trade: { ...trade, status: document.tradeStatus[revision] ?? "executed" },
    reference,
  };
}

/** What a cursor of a list of positions is bound to. */
export function positionListIdentity({ account, symbol }: PositionQuery): unknown {
  return ["positions", account, symbol];
}

/** Where a position stands in the list: by the time of the trade that changed it, then by symbol and account. */
export function placeOf({ timestamp, symbol, account }: AccountPosition): Position {
  return { value: timestamp, id: `${symbol}/${account}` };
}

/** The documents that have the positions of a query, or more. */
export function positionDocuments({ account, symbol }: PositionQuery): string[] {
  return account === undefined ? positionsDocumentIds("symbol", symbol!) : positionsDocumentIds("account", account);
}

/** The positions of a query that come after a place, in the order of the list, with one more than `limit`. */
export function positionsAfter(
  documents: readonly PositionsDocument[],
  { symbol }: PositionQuery,
  place: Position | undefined,
  limit: number,
): AccountPosition[] {
  return documents
    .flatMap(({ positions }) => Object.values(positions).map((text) => valueOf<StoredPosition>(text)))
    .filter((position) => symbol === undefined || position.symbol === symbol)
    .map((position) => ({ position, at: placeOf(position) }))
    .filter(({ at }) => !place || isAfter(at, place))
    .toSorted((a, b) => (isAfter(a.at, b.at) ? 1 : -1))
    .slice(0, limit + 1)
    .map(({ position }) => position);
}
