import { readLetter, type Letter } from "../../../domain/dead-letters.ts";
import type { DeadLetterCode } from "../../../domain/errors.ts";
import type { EpochMs } from "../../../domain/time.ts";
import type { InputRecord } from "../../runtime/machine.ts";
import { letterName } from "./record-of-letter.ts";

/** Which letters are meant. What is undefined restricts nothing. */
export interface LetterFilter {
  /** Places, `dead-letter/<partition>/<offset>`, or ids; of several any. */
  readonly ids: readonly string[];
  readonly code: DeadLetterCode | undefined;
  readonly sensor: string | undefined;
  readonly symbol: string | undefined;
  /** When they were written: inclusive, exclusive. */
  readonly from: EpochMs | undefined;
  readonly to: EpochMs | undefined;
}

/** What a record of the dead-letter topic says of itself. */
export function letterOf(record: InputRecord): Letter {
  return readLetter({ ...placeOf(record), key: record.key === null ? null : textOf(record.key) });
}

function placeOf({ partition, offset, timestamp, headers }: InputRecord): Omit<InputRecord, "key" | "value"> {
  return { partition, offset, timestamp, headers };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

/** Whether a letter is among those meant. */
export function isMeant(record: InputRecord, filter: LetterFilter): boolean {
  const { id, code, sensorId, symbol, at } = letterOf(record);
  return (
    (filter.ids.length === 0 || filter.ids.includes(id) || filter.ids.includes(letterName(record))) &&
    (filter.code === undefined || filter.code === code) &&
    (filter.sensor === undefined || filter.sensor === sensorId) &&
    (filter.symbol === undefined || filter.symbol === symbol) &&
    at >= (filter.from ?? -Infinity) &&
    at < (filter.to ?? Infinity)
  );
}

/** Messages quote what devices sent: without line ends and controls, which a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ");
}
