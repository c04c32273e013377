import { AthenaClient } from "@aws-sdk/client-athena";
import { DescribeFeatureGroupCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import { queryAthena } from "../../adapters/athena.ts";
import { localCredentials } from "../../adapters/local-credentials.ts";
import { EVENT_TIME_FEATURE, type FeatureGroupSpec } from "../../domain/features.ts";
import { MINUTE, SECOND, type EpochMs, type Milliseconds } from "../../domain/time.ts";

/** A query of seconds is given so long. */
const QUERY_LIMIT_MS = 40 * SECOND;
/** One that goes through a whole table. */
const TABLE_LIMIT_MS = 15 * MINUTE;
/** Identifiers that are looked at, at most. */
const MAX_IDENTIFIERS = 20;

/** Newest event time (epoch seconds) of an identifier in the offline store, of its records or of its deletions. */
export interface OfflineRow {
  readonly identifier: string;
  readonly isDeleted: boolean;
  readonly eventTime: number;
}

export interface OfflineSettings {
  readonly region: string;
  readonly athenaWorkGroup: string;
  readonly offlineStoreEndpoint: string | undefined;
}

/** Queries the offline stores of feature groups: Athena over the Glue tables that SageMaker says are theirs. */
export class OfflineStores {
  readonly #workGroup: string;
  readonly #sagemaker: SageMakerClient;
  readonly #athena: AthenaClient;

  constructor({ region, athenaWorkGroup, offlineStoreEndpoint: endpoint }: OfflineSettings) {
    const at = { region, ...(endpoint ? { endpoint, credentials: localCredentials } : {}) };
    this.#workGroup = athenaWorkGroup;
    this.#sagemaker = new SageMakerClient(at);
    this.#athena = new AthenaClient(at);
  }

  /**
   * The newest rows since `sinceMs` of the 20 identifiers that have them, or of those that are named.
   *
   * @throws Error that says why there is no answer
   */
  async newest(
    group: string,
    { recordIdentifier }: FeatureGroupSpec,
    sinceMs: EpochMs,
    identifiers?: readonly string[],
  ): Promise<OfflineRow[]> {
    const { Database, TableName } = await this.#tableOf(group);
    const names = identifiers?.slice(0, MAX_IDENTIFIERS).map(literal).join(", ");
    const rows = await this.#query(
      Database,
      [
        `SELECT "${recordIdentifier}", "is_deleted", max("${EVENT_TIME_FEATURE}") FROM "${Database}"."${TableName}"`,
        `WHERE "${EVENT_TIME_FEATURE}" >= ${sinceMs / 1_000}`,
        ...(names ? [`AND "${recordIdentifier}" IN (${names})`] : []),
        // An identifier has up to two rows.
        `GROUP BY "${recordIdentifier}", "is_deleted" ORDER BY 3 DESC LIMIT ${2 * MAX_IDENTIFIERS}`,
      ].join(" "),
    );
    return rows.map(([identifier = "", isDeleted, eventTime]) => ({
      identifier,
      isDeleted: isDeleted === "true",
      eventTime: Number(eventTime),
    }));
  }

  /** Deletes all rows of an identifier and gives their number. Athena does so in Iceberg tables. */
  async erase(group: string, { recordIdentifier }: FeatureGroupSpec, identifier: string): Promise<number> {
    const { Database, TableName } = await this.#tableOf(group);
    const rows = `FROM "${Database}"."${TableName}" WHERE "${recordIdentifier}" = ${literal(identifier)}`;
    const [[count] = []] = await this.#query(Database, `SELECT count(*) ${rows}`, TABLE_LIMIT_MS);
    if (Number(count) > 0) await this.#query(Database, `DELETE ${rows}`, TABLE_LIMIT_MS);
    return Number(count);
  }

  async #tableOf(group: string): Promise<{ readonly Database: string; readonly TableName: string }> {
    const { OfflineStoreConfig, OfflineStoreStatus } = await this.#sagemaker.send(
      new DescribeFeatureGroupCommand({ FeatureGroupName: group }),
    );
    const { Database, TableName } = OfflineStoreConfig?.DataCatalogConfig ?? {};
    if (Database && TableName) return { Database, TableName };
    throw new Error(
      `${group} has no table of an offline store; its status is ${OfflineStoreStatus?.Status ?? "absent"}`,
    );
  }

  #query(database: string, sql: string, limitMs: Milliseconds = QUERY_LIMIT_MS): Promise<(string | undefined)[][]> {
    return queryAthena(this.#athena, { workGroup: this.#workGroup, database, sql, limitMs });
  }
}

/** A text in a query. */
function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
