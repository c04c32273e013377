import { open, type FileHandle } from "node:fs/promises";
import { MillraceError } from "../../domain/errors.ts";
import { tradeFieldNames } from "../../domain/market.ts";
import { verbatimNumber } from "../../domain/verbatim-json.ts";
import type { PlannedTrade } from "./faults.ts";

/** The columns of a trade; others are refused, so that no misspelt one is passed over. */
const columns = tradeFieldNames;
type Column = (typeof columns)[number];
const numbers: readonly Column[] = ["price", "quantity", "amount"];
const QUOTED_CHARACTERS = 200;

/**
 * The trades of a CSV file, in its order, due as fast as their timestamps. A trade whose time is before the one before
 * it is due at once. Numbers stay as they stand in the file.
 *
 * @param speed How much faster they are due
 * @throws MillraceError `arguments-invalid` with the line
 */
export async function* recordedTrades(file: string, speed: number): AsyncGenerator<PlannedTrade> {
  let header: Column[] | null = null;
  let firstMs = NaN;
  let dueMs = 0;
  let number = 0;
  for await (const line of linesOf(file)) {
    number++;
    const where = `${file}, line ${number}`;
    if (line.trim() === "") continue;
    if (line.includes('"')) throw problem(`${where}: a cell in quotes is not understood: ${quoted(line)}`);
    const cells = line.split(",").map((cell) => cell.trim());
    if (header === null) {
      header = headerOf(cells, where);
      continue;
    }
    if (cells.length !== header.length)
      throw problem(`${where}: ${header.length} cells are expected, found ${quoted(line)}`);
    const detail = Object.fromEntries(
      header.flatMap((name, i) => (cells[i] === "" ? [] : [[name, valueOf(name, cells[i]!)]])),
    );
    const timestamp = cells[header.indexOf("timestamp")]!;
    const time = timeOf(timestamp);
    if (!Number.isFinite(time))
      throw problem(`${where}: a timestamp (RFC 3339, or epoch ms) is expected, found ${quoted(timestamp)}`);
    if (Number.isNaN(firstMs)) firstMs = time;
    dueMs = Math.max(dueMs, (time - firstMs) / speed);
    yield { dueMs, time, detail, pendingMs: 0 };
  }
}

async function* linesOf(file: string): AsyncGenerator<string> {
  let handle: FileHandle;
  try {
    handle = await open(file);
  } catch (cause) {
    throw problem(`--data ${file} cannot be read: ${(cause as Error).message}`, cause);
  }
  try {
    yield* handle.readLines();
  } finally {
    await handle.close();
  }
}

function headerOf(cells: readonly string[], where: string): Column[] {
  const unknown = cells.filter((cell) => !columns.includes(cell as Column));
  if (unknown.length > 0)
    throw problem(`${where}: there is no column ${unknown.map(quoted).join(", ")}; there are ${columns.join(", ")}`);
  if (new Set(cells).size !== cells.length) throw problem(`${where}: a column is named twice`);
  if (!cells.includes("timestamp")) throw problem(`${where}: the column timestamp is missing`);
  return cells as Column[];
}

/** What is no number where one belongs is put as it is: the processor says what is wrong with it. */
function valueOf(name: Column, cell: string): unknown {
  const isNumber = numbers.includes(name) || (name === "timestamp" && /^\d+(?:\.\d+)?$/.test(cell));
  return isNumber ? (verbatimNumber(cell) ?? cell) : cell;
}

function timeOf(cell: string): number {
  return /^\d+(?:\.\d+)?$/.test(cell) ? Number(cell) : Date.parse(cell);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, QUOTED_CHARACTERS));
}

function problem(message: string, cause?: unknown): MillraceError {
  return new MillraceError("arguments-invalid", message, { cause });
}
