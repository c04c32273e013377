import { tradeSides, tradeStatuses } from "../../../domain/market.ts";
import type { Reader, Writer } from "../../runtime/codec.ts";
import type { Chunk, RaisedAlert } from "./trade-book.ts";

/** Writes the trades of a chunk. */
export function encodeTrades(chunk: Chunk, writer: Writer): void {
  writer.u32(chunk.size);
  for (const trade of chunk.trades()) {
    writer.text(trade.id);
    writer.f64(trade.time);
    writer.f64(trade.number);
    writer.f64(trade.price);
    writer.f64(trade.quantity);
    writer.f64(trade.amount);
    writer.f64(trade.amountUsd);
    writer.text(trade.currency);
    writer.u8(trade.side === null ? 0 : 1 + tradeSides.indexOf(trade.side));
    writer.optionalText(trade.account);
    writer.u8(tradeStatuses.indexOf(trade.status));
    writer.u8(trade.inPosition ? 1 : 0);
    writer.u32(trade.raised.length);
    for (const alert of trade.raised) encodeAlert(alert, writer);
  }
}

function encodeAlert({ rule, kind, severity, figure, limit, reference }: RaisedAlert, writer: Writer): void {
  writer.text(rule);
  writer.text(kind);
  writer.text(severity);
  writer.f64(figure ?? NaN);
  writer.f64(limit ?? NaN);
  writer.optionalText(reference);
}

/** Reads what `encodeTrades` wrote into an empty chunk. */
export function decodeTrades(reader: Reader, chunk: Chunk): void {
  for (let left = reader.u32(); left > 0; left--) {
    const idBytes = reader.ascii();
    const firstTime = reader.f64();
    const number = reader.f64();
    const price = reader.f64();
    const quantity = reader.f64();
    const amount = reader.f64();
    const amountUsd = reader.f64();
    const currency = reader.text();
    const side = tradeSides[reader.u8() - 1] ?? null;
    const account = reader.optionalText();
    const id = { idBytes, idFrom: 0, idTo: idBytes.length };
    const content = { ...id, firstTime, price, quantity, amount, currency, side, account };
    const trade = chunk.add(content, number, tradeStatuses[reader.u8()]!, amountUsd);
    trade.inPosition = reader.u8() === 1;
    trade.raised = Array.from({ length: reader.u32() }, () => decodeAlert(reader));
  }
}

function decodeAlert(reader: Reader): RaisedAlert {
  return {
    rule: reader.text(),
    kind: reader.text(),
    severity: reader.text(),
    figure: numberOrNull(reader.f64()),
    limit: numberOrNull(reader.f64()),
    reference: reader.optionalText(),
  };
}

/** Null for NaN. */
export function numberOrNull(x: number): number | null {
  return x === x ? x : null;
}
