import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { environment } from "../../config/environments/index.ts";
import { checkLake } from "../../lib/smoke/lake.ts";
import { listen } from "../../local/aws/listen.ts";
import { LakeInDuckdb, translated } from "./lake-in-duckdb.ts";
import { pythonTools } from "./python.ts";

const LIMIT_MS = 300_000;
const described = pythonTools() === undefined ? describe.skip : describe;
const before = { ...process.env };

interface Started {
  readonly WorkGroup: string;
  readonly QueryExecutionContext: { readonly Database: string };
  readonly QueryString: string;
}

described("the smoke test asks the lake by Athena", () => {
  let lake: LakeInDuckdb;
  let server: Server;
  let started: Started[];
  /** What each query runs into, by its number; empty: it succeeds. */
  let failures: Readonly<Record<number, string>>;
  /** Called before a query runs. */
  let onQuery: (number: number) => Promise<void>;
  const executions = new Map<string, { looks: number; reason?: string; rows: Record<string, unknown>[] }>();

  /** Athena's operations, over the templates' lake: a query is QUEUED, then RUNNING, then done. */
  const operations: Record<string, (body: Record<string, string>) => Promise<object>> = {
    StartQueryExecution: async (body) => {
      const id = randomUUID();
      const number = started.push(body as unknown as Started);
      await onQuery(number);
      const sql = translated(new Map([["query", body["QueryString"]!]])).get("query")!;
      const reason = failures[number];
      executions.set(id, { looks: 0, rows: reason ? [] : await lake.select(sql), ...(reason ? { reason } : {}) });
      return { QueryExecutionId: id };
    },
    GetQueryExecution: ({ QueryExecutionId: id }) => {
      const execution = executions.get(id!)!;
      const end = execution.reason === undefined ? "SUCCEEDED" : "FAILED";
      const State = ["QUEUED", "RUNNING", end][Math.min(execution.looks++, 2)];
      return Promise.resolve({ QueryExecution: { Status: { State, StateChangeReason: execution.reason } } });
    },
    GetQueryResults: ({ QueryExecutionId: id }) => {
      const { rows } = executions.get(id!)!;
      const data = (values: unknown[]): object => ({ Data: values.map((value) => ({ VarCharValue: String(value) })) });
      return Promise.resolve({
        ResultSet: { Rows: [Object.keys(rows[0]!), ...rows.map((row) => Object.values(row))].map(data) },
      });
    },
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = "";
    for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString();
    const operation = String(request.headers["x-amz-target"]).split(".")[1]!;
    response.setHeader("content-type", "application/x-amz-json-1.1");
    response.end(JSON.stringify(await operations[operation]!(JSON.parse(body) as Record<string, string>)));
  };

  beforeAll(async () => {
    server = createServer((request, response) => void answer(request, response));
    process.env["AWS_ENDPOINT_URL"] = `http://127.0.0.1:${await listen(server, 0)}`;
  });
  beforeEach(async () => {
    [started, failures, onQuery] = [[], {}, () => Promise.resolve()];
    lake = await LakeInDuckdb.open({});
  }, LIMIT_MS);
  afterEach(() => lake.close());
  afterAll(() => {
    process.env = before;
    server.closeAllConnections();
    server.close();
  });

  // Five to midnight: rows of the log lie in the next day's partition, windows in this one's.
  const PUBLISHED = Date.parse("2026-01-01T23:55:00Z");
  const at = (time: string): { dt: string; hour: string } => ({ dt: time.slice(0, 10), hour: time.slice(11, 13) });
  const message = (offset: number, time = "2026-01-01T23:55:00Z"): object => ({
    ...at(time),
    id: `imu-data-all/3/${offset}`,
    key_text: "smoke-1",
    parts: 1,
  });
  const window = { ...at("2026-01-01T23:55:00Z"), id: "imu-data-all/3/9/0", sensor_id: "smoke-1" };
  const messages = Array.from({ length: 10 }, (_, offset) => message(offset));
  const ask = (limitMs: number): Promise<string> =>
    checkLake(
      {
        config: environment("dev"),
        roles: { analyst: () => Promise.resolve({ accessKeyId: "id", secretAccessKey: "secret" }) },
      },
      "smoke-1",
      PUBLISHED,
      { limitMs, pauseMs: 1 },
    );
  const never = Number.MAX_SAFE_INTEGER;

  test(
    "until its messages and windows are there, each once",
    async () => {
      await lake.add("raw", messages.slice(0, 4));
      onQuery = async (number) => {
        // Delivered twice, as Firehose may, and others' rows.
        if (number === 2) await lake.add("raw", [...messages, { ...message(50), key_text: "smoke-2" }]);
        if (number === 3) await lake.add("aggregated", [window, window]);
      };
      expect(await ask(never)).toMatch(
        /^raw_exact has 10 of 10 messages of smoke-1, aggregated_exact 1 windows, \d+ ms after the last publish$/,
      );
      expect(started).toHaveLength(3);
      expect(started[0]).toMatchObject({
        WorkGroup: "millrace-dev-analysts",
        QueryExecutionContext: { Database: "millrace_dev" },
      });
      // The partitions of the day of the readings, and of today.
      const today = new Date().toISOString().slice(0, 10);
      expect(started[0]!.QueryString).toContain(`dt IN ('2026-01-01', '${today}')`);
    },
    LIMIT_MS,
  );

  test(
    "and says what is missing when it is not there in time",
    async () => {
      await lake.add("raw", messages.slice(0, 7));
      await expect(ask(0)).rejects.toThrow(
        "rows are missing within 0 ms: raw_exact has 7 of 10 messages of smoke-1, aggregated_exact 0 windows",
      );
      expect(started).toHaveLength(1);
    },
    LIMIT_MS,
  );

  test(
    "and says why Athena has no answer",
    async () => {
      failures = { 1: "Insufficient permissions to execute the query" };
      await expect(ask(never)).rejects.toThrow(
        "Athena's query is FAILED: Insufficient permissions to execute the query; it is: SELECT",
      );
    },
    LIMIT_MS,
  );
});
