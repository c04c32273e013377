import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import { deliveryProcessors } from "../../domain/delivery-processors.ts";
import type { TableSpec } from "../../domain/tables.ts";
import { Journal, type JournalEntry } from "../aws/journal.ts";
import { Compaction } from "./compaction.ts";
import { deaggregation } from "./deaggregate.ts";
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

/** Folder of the lake for records that are not in a Parquet file yet. */
const BUFFER_FOLDER = "_firehose";
/** Folder of the lake for records that could not be converted. */
const ERROR_FOLDER = "errors";

/**
 * One delivery stream, from acknowledged records to files of the lake:
 *
 * 1. `put` appends records to the journal. When it resolves, they are on the disk.
 * 2. `deliver` seals a journal segment that is old or large enough.
 * 3. It cuts the segment's records into their rows, as the stream's processors say, and writes them as one Parquet file
 *    per partition. Rows that do not fit go to the error output.
 * 4. It removes the segment.
 *
 * After a crash in step 3 or before step 4, the same segment is converted again. Files are named after their segment
 * and renamed into place, so the second conversion replaces the first, and each row is in the lake once.
 */
export class DeliveryStream {
  readonly #options: StreamOptions;
  readonly #journal: Journal;
  readonly #scratch: string;
  readonly #deaggregate = deaggregation(deliveryProcessors);
  readonly #fit: ReturnType<typeof rowFitter>;
  readonly #compaction: Compaction;
  #refusal: string | null = null;

  private constructor(options: StreamOptions, journal: Journal, scratch: string, compaction: Compaction) {
    this.#options = options;
    this.#journal = journal;
    this.#scratch = scratch;
    this.#fit = rowFitter(options.table);
    this.#compaction = compaction;
  }

  static async open(options: StreamOptions): Promise<DeliveryStream> {
    const directory = join(options.lakeDir, BUFFER_FOLDER, options.table.name);
    const scratch = join(directory, "scratch");
    await rm(scratch, { recursive: true, force: true });
    await mkdir(scratch, { recursive: true });
    const folders = { folder: join(options.lakeDir, options.table.name), scratch: join(directory, "compaction") };
    const compaction = await Compaction.open(options.table, folders, options.writer, Date.now());
    return new DeliveryStream(options, await Journal.open(directory), scratch, compaction);
  }

  /** @throws Error when the journal can't take them. None of them may be acknowledged then */
  async put(entries: readonly JournalEntry[]): Promise<void> {
    const { metrics } = this.#options;
    try {
      await this.#journal.append(entries);
      this.#refusal = null;
      metrics.add("firehose.records", entries.length);
    } catch (error) {
      this.#refusal = (error as Error).message;
      metrics.add("firehose.failed-deliveries");
      throw error;
    }
  }

  /** Why the newest records were not taken; null when they were. */
  get refusal(): string | null {
    return this.#refusal;
  }

  /** Acknowledged bytes that are not in a file of the lake yet. */
  bufferedBytes(nowMs: number): number {
    return this.#journal.sealed().reduce((sum, { bytes }) => sum + bytes, this.#journal.active(nowMs).bytes);
  }

  /**
   * Seals the active segment when it is due, or when `force` is set. Then converts all sealed segments, and merges the
   * files of an hour that has settled.
   */
  async deliver(nowMs: number, force = false): Promise<void> {
    const { bytes, ageMs } = this.#journal.active(nowMs);
    if (bytes > 0 && (force || bytes >= this.#options.bufferBytes || ageMs >= this.#options.bufferMs))
      await this.#journal.seal();
    const problems: unknown[] = [];
    for (const { name } of this.#journal.sealed())
      await this.#convert(name).catch((error: unknown) => problems.push(error));
    if (problems.length > 0) throw problems[0];
    await this.#compaction.run(nowMs).catch((error: unknown) => {
      const { table, log } = this.#options;
      log.warn({ err: error, table: table.name }, "files of an hour can't be merged; they stay as they are");
    });
  }

  async #convert(segment: string): Promise<void> {
    const { table, log, metrics } = this.#options;
    const { entries, corrupt } = await this.#journal.read(segment);
    if (corrupt > 0)
      log.warn(
        { table: table.name, segment, pieces: corrupt },
        "a journal segment ends in what was never acknowledged",
      );
    const partitions = new Map<string, { entry: JournalEntry; row: FittedRow }[]>();
    const refused: { entry: JournalEntry; row: RefusedRow }[] = [];
    const pieces = entries.flatMap(({ arrivalMs, data }) =>
      this.#deaggregate(data).map((piece): JournalEntry => ({ arrivalMs, data: piece })),
    );
    for (const entry of pieces) {
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
            message: "the Parquet writer cannot read this JSON: it has a duplicate key or half a surrogate pair",
          },
        });
      metrics.add("firehose.files");
      this.#compaction.written(partition, Date.now());
    }
    await this.#writeErrors(segment, refused);
    await this.#journal.remove(segment);
  }

  /** Writes lines of JSON in the format of Firehose's error output, one file per segment and kind of error. */
  async #writeErrors(segment: string, refused: readonly { entry: JournalEntry; row: RefusedRow }[]): Promise<void> {
    const { table, lakeDir, log, metrics } = this.#options;
    for (const [kind, rows] of Map.groupBy(refused, ({ row }) =>
      row.code.startsWith("DataFormat") ? "format-conversion-failed" : "metadata-extraction-failed",
    )) {
      const folder = join(lakeDir, ERROR_FOLDER, table.name, kind);
      await mkdir(folder, { recursive: true });
      const lines = rows.map(({ entry, row }) => `${JSON.stringify(errorOutput(entry, row))}\n`);
      const scratch = join(this.#scratch, `${segment}.errors`);
      await writeFile(scratch, lines.join(""), { flush: true });
      await rename(scratch, join(folder, `${table.name}-${segment}.ndjson`));
      metrics.add("firehose.errors", rows.length);
      log.error(
        { table: table.name, rows: rows.length, code: rows[0]?.row.code, example: rows[0]?.row.message, folder },
        "rows that do not fit the table went to the error output",
      );
    }
  }
}

function errorOutput({ arrivalMs, data }: JournalEntry, { code, message }: RefusedRow): Record<string, unknown> {
  return {
    attemptsMade: 1,
    arrivalTimestamp: arrivalMs,
    lastErrorCode: code,
    lastErrorMessage: message,
    rawData: Buffer.from(data).toString("base64"),
  };
}
