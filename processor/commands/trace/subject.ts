import { messageNumberOf } from "../../../domain/dead-letters.ts";
import type { PipelineName } from "../../../domain/pipelines.ts";
import type { EpochMs } from "../../../domain/time.ts";
import { headers as headerNames } from "../../../domain/topics.ts";
import { SequencedMessage } from "../../operators/sequenced-message.ts";
import { decodeTrade } from "../../pipelines/market/decode-trade.ts";
import { TradeMessage } from "../../pipelines/market/trade-message.ts";
import { decodeImu, IMU_WIDTH } from "../../pipelines/sensor/decode-imu.ts";
import type { InputRecord } from "../../runtime/machine.ts";

/** Which message a record is: what another arrival of it says, too. Null where the record does not say it. */
export interface Identity {
  /** The sensor, or the symbol. */
  readonly key: string | null;
  readonly seq: number | null;
  readonly boot: string | null;
  readonly tradeId: string | null;
}

/** What a record of an input says. */
export interface Subject {
  readonly identity: Identity;
  /** Event time of the first reading and of the last; null for a record that can't be decoded. */
  readonly times: { readonly first: EpochMs; readonly last: EpochMs } | null;
  readonly readings: number;
}

type Source = Pick<InputRecord, "key" | "value" | "headers">;

/** Reads a record of a pipeline's input, as far as it can be read. */
export function subjectOf(pipeline: PipelineName, { key, value, headers }: Source): Subject {
  const name = key === null ? null : Buffer.from(key).toString("utf8");
  const isTrade = pipeline === "market";
  const number = isTrade ? { seq: null, boot: null } : messageNumberOf(value, headers[headerNames.contentType] ?? null);
  const identity = { key: name, ...number, tradeId: isTrade ? tradeIdOf(value) : null };
  const nothing = { identity, times: null, readings: 0 };
  if (name === null || value === null) return nothing;
  const message = isTrade ? new TradeMessage() : new SequencedMessage(IMU_WIDTH);
  const rejection =
    message instanceof TradeMessage
      ? decodeTrade(name, value, headers, message)
      : decodeImu(name, value, headers, message);
  if (rejection) return nothing;
  return { identity, times: { first: message.firstTime, last: message.lastTime }, readings: message.rows };
}

function tradeIdOf(value: Uint8Array | null): string | null {
  try {
    const { trade_id: tradeId } = JSON.parse(Buffer.from(value ?? []).toString("utf8")) as { trade_id?: unknown };
    return typeof tradeId === "string" ? tradeId : null;
  } catch {
    return null;
  }
}

/** Whether two records are arrivals of one message. */
export function isSame(a: Identity, b: Identity): boolean {
  if (a.key === null || a.key !== b.key) return false;
  if (a.tradeId !== null) return a.tradeId === b.tradeId;
  return a.seq !== null && a.seq === b.seq && a.boot === b.boot;
}

/** An identity in words: `sensor s1, seq 17, boot a1`. */
export function nameOf({ key, seq, boot, tradeId }: Identity): string {
  if (key === null) return "a record without a key";
  if (tradeId !== null) return `symbol ${key}, trade ${tradeId}`;
  if (seq === null) return `${key}, whose number can't be read`;
  return `sensor ${key}, seq ${seq}${boot === null ? "" : `, boot ${boot}`}`;
}
