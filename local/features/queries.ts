import { randomUUID } from "node:crypto";
import { ServiceError } from "../aws/service-error.ts";
import type { OfflineStore, QueryResult } from "./offline-store.ts";

/** Queries whose results are kept. */
const KEPT_QUERIES = 100;
/** Rows of a result, at most: as many as one page of Athena has. */
const MAX_ROWS = 1_000;

interface Execution {
  readonly sql: string;
  readonly submittedMs: number;
  readonly outcome: { readonly result: QueryResult } | { readonly reason: string };
}

/** Athena's queries, over the offline store. One is run when it is started: its first state is its last. */
export class Queries {
  readonly #executions = new Map<string, Execution>();

  /** The operations of the endpoint, by name. */
  readonly operations: Readonly<
    Record<string, (body: Readonly<Record<string, unknown>>, store: OfflineStore) => object>
  > = {
    StartQueryExecution: ({ QueryString }, store) => {
      if (typeof QueryString !== "string" || QueryString === "") throw badRequest("QueryString is missing");
      const id = randomUUID();
      this.#executions.set(id, { sql: QueryString, submittedMs: Date.now(), outcome: run(store, QueryString) });
      if (this.#executions.size > KEPT_QUERIES) this.#executions.delete(this.#executions.keys().next().value!);
      return { QueryExecutionId: id };
    },
    GetQueryExecution: ({ QueryExecutionId }) => {
      const { sql, submittedMs, outcome } = this.#find(QueryExecutionId);
      const Status = {
        State: "result" in outcome ? "SUCCEEDED" : "FAILED",
        ...("reason" in outcome ? { StateChangeReason: outcome.reason } : {}),
        SubmissionDateTime: submittedMs / 1_000,
      };
      return { QueryExecution: { QueryExecutionId, Query: sql, StatementType: "DML", Status } };
    },
    GetQueryResults: ({ QueryExecutionId }) => {
      const { outcome } = this.#find(QueryExecutionId);
      if ("reason" in outcome) throw badRequest(`the query failed: ${outcome.reason}`);
      const { columns, rows } = outcome.result;
      const data = (values: readonly (string | null)[]): object => ({
        Data: values.map((value) => (value === null ? {} : { VarCharValue: value })),
      });
      return {
        ResultSet: {
          Rows: [columns, ...rows].map(data),
          ResultSetMetadata: { ColumnInfo: columns.map((Name) => ({ Name, Type: "varchar" })) },
        },
      };
    },
  };

  #find(id: unknown): Execution {
    const found = this.#executions.get(String(id));
    if (!found) throw badRequest(`QueryExecution ${String(id)} was not found`);
    return found;
  }
}

function run(store: OfflineStore, sql: string): Execution["outcome"] {
  try {
    return { result: store.query(sql, MAX_ROWS) };
  } catch (error) {
    return { reason: (error as Error).message };
  }
}

/** An `InvalidRequestException` (400). */
function badRequest(message: string): ServiceError {
  return new ServiceError("InvalidRequestException", 400, message);
}
