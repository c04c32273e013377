import type { TableSpec } from "../../domain/tables.ts";
import { parseHiveType, type HiveType } from "../lake/types.ts";

/** A row that fits its table. */
export interface FittedRow {
  readonly ok: true;
  readonly dt: string;
  readonly hour: string;
  /** One line of JSON with the table's columns as keys, without a line feed. Other keys are ignored. */
  readonly json: Uint8Array;
}
/** A row that does not fit its table. The error output contains `code` and `message`. */
export interface RefusedRow {
  readonly ok: false;
  readonly code:
    | "DataFormatConversion.MalformedData"
    | "DataFormatConversion.InvalidSchema"
    | "DynamicPartitioning.MetadataExtractionFailed";
  readonly message: string;
}

const INT_MAX = 2 ** 31 - 1;
const BIGINT_LIMIT = 2 ** 63;
const utf8 = new TextDecoder("utf-8", { fatal: true });
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Returns a function that fits rows to a table. A row is one JSON object. Its fields `dt` (yyyy-mm-dd) and `hour` (HH)
 * name the partition. As in Firehose's conversion, names are compared without case, absent columns are null, and other
 * fields are ignored. Unlike Firehose, it converts no types: a string is not accepted as a number.
 */
export function rowFitter(table: TableSpec): (data: Uint8Array) => FittedRow | RefusedRow {
  const columns = table.columns.map((column) => ({ name: column.name, type: parseHiveType(column.type) }));
  const exact = new Set([...columns.map(({ name }) => name), "dt", "hour"]);
  const names = new Map(Array.from(exact, (name) => [name.toLowerCase(), name]));
  return (data) => {
    let text: string;
    let value: unknown;
    try {
      text = utf8.decode(data);
      value = JSON.parse(text);
    } catch (error) {
      return {
        ok: false,
        code: "DataFormatConversion.MalformedData",
        message: `not one JSON object in UTF-8: ${(error as Error).message}`,
      };
    }
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return {
        ok: false,
        code: "DataFormatConversion.MalformedData",
        message: `expected a JSON object, received ${describe(value)}`,
      };
    let row = value as Record<string, unknown>;
    const renamed = Object.keys(row).some((key) => !exact.has(key) && names.has(key.toLowerCase()));
    if (renamed)
      row = Object.fromEntries(Object.entries(row).map(([key, field]) => [names.get(key.toLowerCase()) ?? key, field]));
    for (const { name, type } of columns) {
      const problem = mismatch(type, row[name]);
      if (problem !== null)
        return { ok: false, code: "DataFormatConversion.InvalidSchema", message: `${name}${problem}` };
    }
    const { dt, hour } = row;
    if (
      typeof dt !== "string" ||
      !/^\d{4}-\d{2}-\d{2}$/.test(dt) ||
      typeof hour !== "string" ||
      !/^([01]\d|2[0-3])$/.test(hour)
    ) {
      return {
        ok: false,
        code: "DynamicPartitioning.MetadataExtractionFailed",
        message: `expected dt yyyy-mm-dd and hour HH, received dt ${describe(dt)} and hour ${describe(hour)}`,
      };
    }
    const isLine = !data.includes(LINE_FEED) && !data.includes(CARRIAGE_RETURN);
    const json = renamed || !isLine ? Buffer.from(JSON.stringify(row)) : data;
    return { ok: true, dt, hour, json };
  };
}

/** The problem of a value, as what follows its path in a message; null when it has the type. */
function mismatch(type: HiveType, value: unknown): string | null {
  if (value === undefined || value === null) return null;
  switch (type.kind) {
    case "string":
      return typeof value === "string" ? null : wrong("a string", value);
    case "boolean":
      return typeof value === "boolean" ? null : wrong("true or false", value);
    case "double":
      return typeof value === "number" ? null : wrong("a number", value);
    case "int":
      return Number.isInteger(value) && Math.abs(value as number) <= INT_MAX ? null : wrong("a 32-bit integer", value);
    case "bigint":
      return Number.isInteger(value) && Math.abs(value as number) < BIGINT_LIMIT
        ? null
        : wrong("a 64-bit integer", value);
    case "array": {
      if (!Array.isArray(value)) return wrong("an array", value);
      for (let i = 0; i < value.length; i++) {
        const problem = mismatch(type.item, value[i]);
        if (problem !== null) return `[${i}]${problem}`;
      }
      return null;
    }
    case "map": {
      if (!isObject(value)) return wrong("an object", value);
      for (const [key, item] of Object.entries(value)) {
        const problem = mismatch(type.value, item);
        if (problem !== null) return `.${key}${problem}`;
      }
      return null;
    }
    case "struct": {
      if (!isObject(value)) return wrong("an object", value);
      for (const [name, field] of type.fields) {
        const problem = mismatch(field, value[name]);
        if (problem !== null) return `.${name}${problem}`;
      }
      return null;
    }
  }
}

const wrong = (expected: string, value: unknown): string => `: expected ${expected}, received ${describe(value)}`;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
