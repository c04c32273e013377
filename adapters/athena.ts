import { setTimeout as sleep } from "node:timers/promises";
import {
  type AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  StartQueryExecutionCommand,
} from "@aws-sdk/client-athena";
import type { Milliseconds } from "../domain/time.ts";

const POLL_MS: Milliseconds = 250;

export interface AthenaQuery {
  readonly workGroup: string;
  /** What tables without a database are in. */
  readonly database: string;
  readonly sql: string;
  /** How long Athena may take. */
  readonly limitMs: Milliseconds;
}

/**
 * Runs a query and gives the first page of its rows, at most 1,000, each value as text; undefined is null.
 *
 * @throws Error with the state of a query that failed, was cancelled or took too long
 */
export async function queryAthena(
  athena: AthenaClient,
  { workGroup, database, sql, limitMs }: AthenaQuery,
): Promise<(string | undefined)[][]> {
  const { QueryExecutionId } = await athena.send(
    new StartQueryExecutionCommand({
      QueryString: sql,
      WorkGroup: workGroup,
      QueryExecutionContext: { Database: database },
    }),
  );
  const end = Date.now() + limitMs;
  for (;;) {
    const { QueryExecution } = await athena.send(new GetQueryExecutionCommand({ QueryExecutionId }));
    const { State, StateChangeReason } = QueryExecution?.Status ?? {};
    if (State === "SUCCEEDED") break;
    if (State === "FAILED" || State === "CANCELLED" || Date.now() > end)
      throw new Error(`Athena's query is ${State}: ${StateChangeReason ?? "no reason given"}; it is: ${sql}`);
    await sleep(POLL_MS);
  }
  const { ResultSet } = await athena.send(new GetQueryResultsCommand({ QueryExecutionId }));
  // The first row names the columns.
  return (ResultSet?.Rows ?? []).slice(1).map(({ Data = [] }) => Data.map(({ VarCharValue }) => VarCharValue));
}
