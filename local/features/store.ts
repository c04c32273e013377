import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { FeatureValue } from "./records.ts";

export interface StoredRecord {
  readonly values: readonly FeatureValue[];
  /** Epoch ms; null for never. */
  readonly expiresAtMs: number | null;
}

/**
 * The online store: the newest record of each identifier. Records survive the death of the process. A soft deletion is
 * stored as a record without values, so that older records cannot replace it.
 */
export class OnlineStore {
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #get: StatementSync;
  readonly #remove: StatementSync;

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true });
    this.#database = new DatabaseSync(join(directory, "online.sqlite"));
    this.#database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
      CREATE TABLE IF NOT EXISTS records (
        feature_group TEXT, identifier TEXT, event_time REAL NOT NULL, feature_values TEXT, expires_at REAL,
        PRIMARY KEY (feature_group, identifier)
      ) WITHOUT ROWID, STRICT`);
    this.#put = this.#database.prepare(`INSERT INTO records VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET
        event_time = excluded.event_time, feature_values = excluded.feature_values, expires_at = excluded.expires_at
      WHERE excluded.event_time > event_time`);
    this.#get = this.#database.prepare(
      "SELECT feature_values, expires_at FROM records WHERE feature_group = ? AND identifier = ?",
    );
    this.#remove = this.#database.prepare(
      "DELETE FROM records WHERE feature_group = ? AND identifier = ? AND event_time < ?",
    );
  }

  /**
   * Replaces the whole record if this one has a later event time. Otherwise the stored record stays.
   *
   * @param values Null for a soft deletion.
   */
  put(
    group: string,
    identifier: string,
    eventTimeMs: number,
    values: readonly FeatureValue[] | null,
    expiresAtMs: number | null,
  ): void {
    this.#put.run(group, identifier, eventTimeMs, values === null ? null : JSON.stringify(values), expiresAtMs);
  }

  get(group: string, identifier: string, nowMs: number): StoredRecord | null {
    const row = this.#get.get(group, identifier) as
      | { feature_values: string | null; expires_at: number | null }
      | undefined;
    if (!row || row.feature_values === null || (row.expires_at !== null && row.expires_at <= nowMs)) return null;
    return { values: JSON.parse(row.feature_values) as FeatureValue[], expiresAtMs: row.expires_at };
  }

  /** Hard deletion. @returns Whether there is no record any more: one that is not older than the deletion stays. */
  remove(group: string, identifier: string, eventTimeMs: number): boolean {
    this.#remove.run(group, identifier, eventTimeMs);
    return this.#get.get(group, identifier) === undefined;
  }

  close(): void {
    this.#database.close();
  }
}
