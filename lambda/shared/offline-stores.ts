import { setTimeout as sleep } from "node:timers/promises";
import {
  AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  StartQueryExecutionCommand,
} from "@aws-sdk/client-athena";
import { DescribeFeatureGroupCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import { localCredentials } from "../../adapters/local-credentials.ts";
import { EVENT_TIME_FEATURE, type FeatureGroupSpec } from "../../domain/features.ts";
import { MINUTE, SECOND, type EpochMs, type Milliseconds } from "../../domain/time.ts";

/** A query of seconds is given so long. */
const QUERY_LIMIT_MS = 40 * SECOND;
/** One that goes through a whole table. */
const TABLE_LIMIT_MS = 15 * MINUTE;
const POLL_MS = 250;
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

  /** The rows of a query's result, without its header. */
  async #query(
    Database: string,
    QueryString: string,
    limitMs: Milliseconds = QUERY_LIMIT_MS,
  ): Promise<(string | undefined)[][]> {
    const { QueryExecutionId } = await this.#athena.send(
      new StartQueryExecutionCommand({
        QueryString,
        WorkGroup: this.#workGroup,
        QueryExecutionContext: { Database },
      }),
    );
    const end = Date.now() + limitMs;
    for (;;) {
      const { QueryExecution } = await this.#athena.send(new GetQueryExecutionCommand({ QueryExecutionId }));
      const { State, StateChangeReason } = QueryExecution?.Status ?? {};
      if (State === "SUCCEEDED") break;
      if (State === "FAILED" || State === "CANCELLED" || Date.now() > end)
        throw new Error(`Athena's query is ${State}: ${StateChangeReason ?? "no reason given"}; it is: ${QueryString}`);
      await sleep(POLL_MS);
    }
    const { ResultSet } = await this.#athena.send(new GetQueryResultsCommand({ QueryExecutionId }));
    return (ResultSet?.Rows ?? []).slice(1).map(({ Data = [] }) => Data.map(({ VarCharValue }) => VarCharValue));
  }
}

/** A text in a query. */
function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
