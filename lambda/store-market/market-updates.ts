import type { AlertRecord, BarRecord, PositionRecord } from "../../domain/records.ts";
import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import { fieldName } from "../shared/field-names.ts";
import {
  barsDocumentId,
  positionsDocumentId,
  type AlertDocument,
  type BarsDocument,
  type NewestBar,
  type PositionsDocument,
  type StoredBar,
  type StoredPosition,
  type SymbolDocument,
} from "../shared/market-documents.ts";
import { MergedUpdates } from "../shared/merged-updates.ts";
import type { UpdateOne } from "../shared/mongo.ts";
import { revised } from "../shared/revised.ts";

/** A record and the timestamp of its Kafka record. */
export interface Stamped<T> {
  readonly value: T;
  readonly timestamp: EpochMs;
}

/** The updates that write bars: of each the highest revision stays. They expire `keepMs` after the last was written. */
export function barUpdates(bars: readonly Stamped<BarRecord>[], keepMs: Milliseconds): UpdateOne<BarsDocument>[] {
  const updates = new MergedUpdates<BarsDocument>();
  for (const { value, timestamp } of bars) {
    const { schema: _, ...bar } = value;
    const { symbol, operator, window, revision } = bar;
    const id = barsDocumentId(symbol, operator, window.start);
    updates.max(id, `bars.${window.start}`, revised([revision], bar satisfies StoredBar));
    updates.max(id, "expireAt", new Date(timestamp + keepMs));
  }
  return updates.all;
}

/** The updates that write positions, by account and by symbol: of each the highest revision stays. */
export function positionUpdates(positions: readonly PositionRecord[]): UpdateOne<PositionsDocument>[] {
  const updates = new MergedUpdates<PositionsDocument>();
  for (const { schema: _, ...position } of positions) {
    const { symbol, account, revision } = position;
    const text = revised([revision], position satisfies StoredPosition);
    updates.max(positionsDocumentId("account", account, symbol), `positions.${fieldName(symbol)}`, text);
    updates.max(positionsDocumentId("symbol", symbol, account), `positions.${fieldName(account)}`, text);
  }
  return updates.all;
}

/** The updates that write alerts: one that was withdrawn stays so. They expire `keepMs` after the last record. */
export function alertUpdates(
  alerts: readonly Stamped<AlertRecord>[],
  keepMs: Milliseconds,
): UpdateOne<AlertDocument>[] {
  const updates = new MergedUpdates<AlertDocument>();
  for (const { value, timestamp } of alerts) {
    const { alertId, revision, symbol, rule, kind, severity, figure, limit, reference } = value;
    const { status, ...trade } = value.trade;
    const shared = { symbol, rule, kind, severity, figure, limit, reference, trade, timestamp: trade.timestamp };
    for (const [name, field] of Object.entries(shared)) updates.set(alertId, name, field);
    updates.set(alertId, `recordIds.${revision}`, value.id);
    updates.set(alertId, `tradeStatus.${revision}`, status);
    updates.max(alertId, "revision", revision);
    updates.max(alertId, "expireAt", new Date(timestamp + keepMs));
  }
  return updates.all;
}

/** What records say of their symbols. */
export interface SymbolSightings {
  readonly bars?: readonly Stamped<BarRecord>[];
  readonly positions?: readonly Stamped<PositionRecord>[];
  readonly alerts?: readonly Stamped<AlertRecord>[];
}

/** The updates that write symbols. They expire `keepMs` after the last record of the symbol. */
export function symbolUpdates(
  { bars = [], positions = [], alerts = [] }: SymbolSightings,
  keepMs: Milliseconds,
): UpdateOne<SymbolDocument>[] {
  const updates = new MergedUpdates<SymbolDocument>();
  const seen = (symbol: string, eventTime: EpochMs, timestamp: EpochMs): void => {
    updates.max(symbol, "lastSeen", eventTime);
    updates.max(symbol, "expireAt", new Date(timestamp + keepMs));
  };
  for (const { value, timestamp } of bars) {
    const { symbol, operator, window, revision, lastTrade, close, count } = value;
    seen(symbol, lastTrade ?? window.start, timestamp);
    updates.min(symbol, `bars.${operator}.first`, window.start);
    updates.max(symbol, `bars.${operator}.last`, window.start);
    const newest: NewestBar = { close, trades: count };
    updates.max(symbol, `bars.${operator}.newest`, revised([window.start, revision], newest));
  }
  for (const { value, timestamp } of positions) seen(value.symbol, value.timestamp, timestamp);
  for (const { value, timestamp } of alerts) seen(value.symbol, value.trade.timestamp, timestamp);
  return updates.all;
}
