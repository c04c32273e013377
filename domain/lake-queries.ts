import type { OfPipeline } from "./pipelines.ts";

/** A query of the lake that an analyst finds in Athena's work group. */
export interface NamedQuery extends OfPipeline {
  readonly name: string;
  readonly description: string;
  readonly sql: string;
}

const sql = (...lines: readonly string[]): string => lines.join("\n");

export const namedQueries: readonly NamedQuery[] = [
  {
    name: "windows-of-a-sensor",
    description: "statistics of one sensor's windows on one day",
    sql: sql(
      "SELECT window_start, count, accmag.mean AS acceleration_mean, accmag.std AS acceleration_std",
      "FROM aggregated_exact",
      "WHERE dt = '2026-01-01' AND sensor_id = 's01-sw'",
      "ORDER BY window_start",
    ),
  },
  {
    name: "sessions-by-length",
    description: "longest sessions of one day",
    sql: sql(
      'SELECT session_id, sensor_id, ("end" - start) / 1000 AS seconds, samples',
      "FROM sessions_exact",
      "WHERE dt = '2026-01-01' AND type = 'ended'",
      "ORDER BY seconds DESC",
      "LIMIT 100",
    ),
  },
  {
    name: "late-by-sensor",
    description: "which sensors are late, by hour",
    sql: sql(
      "SELECT dt, hour, sensor_id, count(*) AS records, sum(cardinality(t)) AS readings",
      "FROM late_exact",
      "WHERE dt >= '2026-01-01'",
      "GROUP BY dt, hour, sensor_id",
      "ORDER BY readings DESC",
      "LIMIT 100",
    ),
  },
  {
    name: "activity-per-day",
    description: "how long each activity was recognised",
    sql: sql(
      "SELECT dt, label, sum(window_end - window_start) / 3600000 AS hours",
      "FROM inference_exact",
      "WHERE dt >= '2026-01-01'",
      "GROUP BY dt, label",
      "ORDER BY dt, hours DESC",
    ),
  },
  {
    name: "story-of-a-record",
    description: "one record of the log, its dead letters, and what its step gave; npm run trace has the whole story",
    sql: sql(
      "SELECT place, id, at, what",
      "FROM (",
      "  SELECT 'raw' AS place, id, CAST(\"timestamp\" AS double) AS at, key_text AS what FROM raw_exact",
      "  WHERE dt = '2026-01-01' AND id = 'imu-data-all/3/1234'",
      "  UNION ALL",
      "  SELECT 'dead_letters', id, CAST(\"timestamp\" AS double), error_code || ': ' || error_message",
      "  FROM dead_letters_exact",
      "  WHERE dt = '2026-01-01' AND part = 0",
      "    AND source_topic = 'imu-data-all' AND source_partition = 3 AND source_offset = 1234",
      "  UNION ALL",
      "  SELECT 'aggregated', id, window_start, operator FROM aggregated_exact",
      "  WHERE dt = '2026-01-01' AND id LIKE 'imu-data-all/3/1234/%'",
      "  UNION ALL",
      "  SELECT 'sessions', id, start, session_id FROM sessions_exact",
      "  WHERE dt = '2026-01-01' AND id LIKE 'imu-data-all/3/1234/%'",
      "  UNION ALL",
      "  SELECT 'inference', id, window_start, label FROM inference_exact",
      "  WHERE dt = '2026-01-01' AND id LIKE 'imu-data-all/3/1234/%'",
      "  UNION ALL",
      "  SELECT 'late', id, window_start, operator FROM late_exact",
      "  WHERE dt = '2026-01-01' AND id LIKE 'imu-data-all/3/1234/%'",
      ")",
      "ORDER BY at, place, id",
    ),
  },
  {
    name: "bars-of-a-symbol",
    pipeline: "market",
    description: "newest revision of one symbol's bars of a minute on one day",
    sql: sql(
      "SELECT window_start, open, high, low, close, volume, vwap, notional.sum AS amount_usd, count, revision",
      "FROM (",
      "  SELECT *, row_number() OVER (PARTITION BY window_start ORDER BY revision DESC) AS newest",
      "  FROM market_aggregated_exact",
      "  WHERE dt = '2026-01-01' AND symbol = 'AAPL' AND operator = 'tumbling-60000'",
      ")",
      "WHERE newest = 1",
      "ORDER BY window_start",
    ),
  },
  {
    name: "alerts-of-a-day",
    pipeline: "market",
    description: "alerts of one day that were not withdrawn, the gravest first",
    sql: sql(
      'SELECT severity, rule, symbol, account, trade_id, figure, "limit", amount_usd, "timestamp"',
      "FROM market_alerts_exact",
      "WHERE dt = '2026-01-01' AND alert_id NOT IN (",
      "  SELECT alert_id FROM market_alerts_exact WHERE dt = '2026-01-01' AND status = 'withdrawn'",
      ")",
      "ORDER BY",
      "  CASE severity WHEN 'CRITICAL' THEN 1 WHEN 'HIGH' THEN 2 WHEN 'MEDIUM' THEN 3 ELSE 4 END,",
      '  "timestamp"',
    ),
  },
  {
    name: "trades-by-status",
    pipeline: "market",
    description: "records of one day's log of trades by status, copies and what was refused included",
    sql: sql(
      "SELECT status, count(*) AS records, count(DISTINCT symbol || '/' || trade_id) AS trades",
      "FROM (",
      "  SELECT symbol, trade_id, CASE WHEN trade_id IS NULL THEN 'no trade' ELSE status END AS status",
      "  FROM (",
      "    SELECT key_text AS symbol, json_extract_scalar(trade, '$.trade_id') AS trade_id,",
      "      coalesce(json_extract_scalar(trade, '$.status'), 'executed') AS status",
      "    FROM (",
      "      SELECT key_text, from_utf8(from_base64(value)) AS trade",
      "      FROM market_raw_exact",
      "      WHERE dt = '2026-01-01' AND value IS NOT NULL AND parts = 1",
      "    )",
      "  )",
      ")",
      "GROUP BY status",
      "ORDER BY records DESC, status",
    ),
  },
  {
    name: "completeness-of-bars",
    pipeline: "market",
    description: "share of the trades that a bar knew when it first fired, by hour",
    sql: sql(
      "SELECT dt, hour, sum(at_first) AS at_first, sum(in_the_end) AS in_the_end,",
      "  CAST(sum(at_first) AS double) / nullif(sum(in_the_end), 0) AS completeness",
      "FROM (",
      "  SELECT dt, hour, min_by(count + cancelled, revision) AS at_first,",
      "    max_by(count + cancelled, revision) AS in_the_end",
      "  FROM market_aggregated_exact",
      "  WHERE dt = '2026-01-01' AND operator = 'tumbling-60000'",
      "  GROUP BY dt, hour, symbol, window_start",
      ")",
      "GROUP BY dt, hour",
      "ORDER BY dt, hour",
    ),
  },
];
