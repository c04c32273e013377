import type { TableSpec } from "../../domain/tables.ts";
import { parseHiveType, type HiveType } from "../lake/types.ts";

/** A row that fits its table: one line of JSON with the table's columns as keys. Other keys are ignored. */
export interface FittedRow {
  readonly ok: true;
  readonly dt: string;
  readonly hour: string;
  readonly json: string;
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

/**
 * Returns a function that fits rows to a table. A row is one JSON object. Its fields `dt` (yyyy-mm-dd) and `hour` (HH)
 * name the partition. As in Firehose's conversion, names are compared without case, absent columns are null, and other
 * fields are ignored. Unlike Firehose, it converts no types: a string is not accepted as a number.
 */
export function rowFitter(table: TableSpec): (data: Uint8Array) => FittedRow | RefusedRow {
  const columns = table.columns.map((column) => ({ name: column.name, type: parseHiveType(column.type) }));
  const names = new Map([...columns.map(({ name }) => name), "dt", "hour"].map((name) => [name.toLowerCase(), name]));
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
    const renamed = Object.keys(row).some(
      (key) => names.has(key.toLowerCase()) && names.get(key.toLowerCase()) !== key,
    );
    if (renamed)
      row = Object.fromEntries(Object.entries(row).map(([key, field]) => [names.get(key.toLowerCase()) ?? key, field]));
    for (const { name, type } of columns) {
      const problem = mismatch(type, row[name], name);
      if (problem !== null) return { ok: false, code: "DataFormatConversion.InvalidSchema", message: problem };
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
    return { ok: true, dt, hour, json: renamed ? JSON.stringify(row) : text.replace(/[\r\n]+/g, " ") };
  };
}

/** The problem of `value` at `path`; null when it has the type. */
function mismatch(type: HiveType, value: unknown, path: string): string | null {
  if (value === undefined || value === null) return null;
  const wrong = (expected: string): string => `${path}: expected ${expected}, received ${describe(value)}`;
  switch (type.kind) {
    case "string":
      return typeof value === "string" ? null : wrong("a string");
    case "boolean":
      return typeof value === "boolean" ? null : wrong("true or false");
    case "double":
      return typeof value === "number" ? null : wrong("a number");
    case "int":
      return Number.isInteger(value) && Math.abs(value as number) <= INT_MAX ? null : wrong("a 32-bit integer");
    case "bigint":
      return Number.isInteger(value) && Math.abs(value as number) < BIGINT_LIMIT ? null : wrong("a 64-bit integer");
    case "array":
      return Array.isArray(value)
        ? first(value.map((item, i) => mismatch(type.item, item, `${path}[${i}]`)))
        : wrong("an array");
    case "map":
      return isObject(value)
        ? first(Object.entries(value).map(([key, item]) => mismatch(type.value, item, `${path}.${key}`)))
        : wrong("an object");
    case "struct":
      return isObject(value)
        ? first(type.fields.map(([name, field]) => mismatch(field, value[name], `${path}.${name}`)))
        : wrong("an object");
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const first = (problems: readonly (string | null)[]): string | null =>
  problems.find((problem) => problem !== null) ?? null;

function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
