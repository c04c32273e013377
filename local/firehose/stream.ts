import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import type { TableSpec } from "../../domain/tables.ts";
import { Journal, type JournalEntry } from "./journal.ts";
import type { ParquetWriter } from "./parquet.ts";
import { rowFitter, type FittedRow, type RefusedRow } from "./rows.ts";

export interface StreamOptions {
  readonly table: TableSpec;
  readonly lakeDir: string;
  readonly bufferMs: number;
  readonly bufferBytes: number;
  readonly writer: ParquetWriter;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Folder under the lake that holds what is not in a Parquet file yet. */
export const BUFFER_FOLDER = "_firehose";
/** Folder under the lake of what could not be converted. */
export const ERROR_FOLDER = "errors";

/**
 * One delivery stream, from acknowledged records to files of the lake:
 *
 * 1. `put` appends to the journal; when it resolves, the records are on the disk.
 * 2. A journal segment that is old or large enough is sealed.
 * 3. Its rows are written as one Parquet file per partition, what doesn't fit goes to the error output.
 * 4. The segment is removed. Whoever dies in 3 or before 4 does it again from the same segment: files are named after the
 *    segment and put in place by renaming, so the second time replaces the first, and each row is there once.
 */
export class DeliveryStream {
  readonly #options: StreamOptions;
  readonly #journal: Journal;
  readonly #scratch: string;
  readonly #fit: ReturnType<typeof rowFitter>;

  private constructor(options: StreamOptions, journal: Journal, scratch: string) {
    this.#options = options;
    this.#journal = journal;
    this.#scratch = scratch;
    this.#fit = rowFitter(options.table);
  }

  static async open(options: StreamOptions): Promise<DeliveryStream> {
    const directory = join(options.lakeDir, BUFFER_FOLDER, options.table.name);
    const scratch = join(directory, "scratch");
    await rm(scratch, { recursive: true, force: true });
    await mkdir(scratch, { recursive: true });
    return new DeliveryStream(options, await Journal.open(directory), scratch);
  }

  async put(entries: readonly JournalEntry[]): Promise<void> {
    await this.#journal.append(entries);
    this.#options.metrics.add("firehose.records", entries.length);
  }

  /** Bytes that are acknowledged and not in a file of the lake. */
  bufferedBytes(nowMs: number): number {
    return this.#journal.sealed().reduce((sum, { bytes }) => sum + bytes, this.#journal.active(nowMs).bytes);
  }

  /** Seals the active segment when it is due (or `force`d) and converts all that are sealed. */
  async deliver(nowMs: number, force = false): Promise<void> {
    const { bytes, ageMs } = this.#journal.active(nowMs);
    if (bytes > 0 && (force || bytes >= this.#options.bufferBytes || ageMs >= this.#options.bufferMs))
      await this.#journal.seal();
    const problems: unknown[] = [];
    for (const { name } of this.#journal.sealed())
      await this.#convert(name).catch((error: unknown) => problems.push(error));
    if (problems.length > 0) throw problems[0];
  }

  async #convert(segment: string): Promise<void> {
    const { table, log, metrics } = this.#options;
    const { entries, corrupt } = await this.#journal.read(segment);
    if (corrupt > 0)
      log.warn(
        { table: table.name, segment, lines: corrupt },
        "a journal segment ends in lines that were never acknowledged",
      );
    const partitions = new Map<string, { entry: JournalEntry; row: FittedRow }[]>();
    const refused: { entry: JournalEntry; row: RefusedRow }[] = [];
    for (const entry of entries) {
      const row = this.#fit(entry.data);
      if (!row.ok) {
        refused.push({ entry, row });
        continue;
      }
      const partition = join(`dt=${row.dt}`, `hour=${row.hour}`);
      const rows = partitions.get(partition);
      if (rows) rows.push({ entry, row });
      else partitions.set(partition, [{ entry, row }]);
    }
    for (const [partition, rows] of partitions) {
      const folder = join(this.#options.lakeDir, table.name, partition);
      await mkdir(folder, { recursive: true });
      const unreadable = await this.#options.writer.write(
        table,
        rows.map(({ row }) => row.json),
        join(this.#scratch, segment),
        join(folder, `${table.name}-${segment}.parquet`),
      );
      for (const i of unreadable)
        refused.push({
          entry: (rows[i] as (typeof rows)[number]).entry,
          row: {
            ok: false,
            code: "DataFormatConversion.MalformedData",
            message: "JSON that the Parquet writer can't read: a key twice, or half a surrogate pair",
          },
        });
      metrics.add("firehose.files");
    }
    await this.#writeErrors(segment, refused);
    await this.#journal.remove(segment);
  }

  /** Lines of JSON in the form of Firehose's error output, one file per segment and kind of error. */
  async #writeErrors(segment: string, refused: readonly { entry: JournalEntry; row: RefusedRow }[]): Promise<void> {
    const { table, lakeDir, log, metrics } = this.#options;
    for (const [kind, rows] of Map.groupBy(refused, ({ row }) =>
      row.code.startsWith("DataFormat") ? "format-conversion-failed" : "metadata-extraction-failed",
    )) {
      const folder = join(lakeDir, ERROR_FOLDER, table.name, kind);
      await mkdir(folder, { recursive: true });
      const lines = rows.map(
        ({ entry, row }) =>
          `${JSON.stringify({ attemptsMade: 1, arrivalTimestamp: entry.arrivalMs, lastErrorCode: row.code, lastErrorMessage: row.message, rawData: Buffer.from(entry.data).toString("base64") })}\n`,
      );
      const scratch = join(this.#scratch, `${segment}.errors`);
      await writeFile(scratch, lines.join(""), { flush: true });
      await rename(scratch, join(folder, `${table.name}-${segment}.ndjson`));
      metrics.add("firehose.errors", rows.length);
      log.warn(
        { table: table.name, rows: rows.length, code: rows[0]?.row.code, example: rows[0]?.row.message, folder },
        "rows that don't fit the table went to the error output",
      );
    }
  }
}
