import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";

/**
 * What the market must have made of a log, by SQL over the log alone. The defaults hold: 500 ms out of order, 5 minutes
 * of lateness. An amount in EUR counts at the rate of the reference data that is before it in the log.
 */
export class ExpectedMarket {
  readonly #connection: DuckDBConnection;

  private constructor(connection: DuckDBConnection) {
    this.#connection = connection;
  }

  /** @param file The input's records as NDJSON, as `npm run dump` writes them. */
  static async of(file: string): Promise<ExpectedMarket> {
    const instance = await DuckDBInstance.create(":memory:", { threads: "2", memory_limit: "1GB" });
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    for (const statement of statementsFor(file)) await connection.run(statement);
    return new ExpectedMarket(connection);
  }

  async rows(query: string): Promise<Record<string, unknown>[]> {
    return (await this.#connection.runAndReadAll(query)).getRowObjectsJS();
  }

  async number(query: string): Promise<number> {
    return Number(Object.values((await this.rows(query))[0]!)[0]);
  }
}

const statementsFor = (file: string): string[] => [
  `CREATE TABLE log AS SELECT * FROM read_json('${file}', format = 'newline_delimited', maximum_object_size = 4194304,
     columns = {partition: 'INTEGER', "offset": 'BIGINT', key: 'VARCHAR', headers: 'JSON', value: 'JSON'})`,
  `CREATE TABLE reference AS SELECT partition, "offset", headers->>'reference-version' AS version,
     CAST(json_extract_string(headers->>'reference', '$.rates.EUR') AS DOUBLE) AS eur
   FROM log WHERE headers->>'type' = 'reference'`,
  `CREATE TABLE received AS SELECT partition, "offset", key AS symbol, value->>'trade_id' AS id,
     CASE json_type(value, '$.timestamp')
       WHEN 'VARCHAR' THEN epoch_ms(TRY_CAST(value->>'timestamp' AS TIMESTAMPTZ))
       ELSE CAST(value->>'timestamp' AS BIGINT) END AS ts,
     TRY_CAST(value->>'price' AS DOUBLE) AS price, TRY_CAST(value->>'quantity' AS DOUBLE) AS quantity,
     TRY_CAST(value->>'amount' AS DOUBLE) AS amount, coalesce(value->>'currency', 'USD') AS currency,
     value->>'side' AS side, value->>'account' AS account, coalesce(value->>'status', 'executed') AS status,
     coalesce(json_type(value, '$.quantity') = 'VARCHAR', false) AS is_text
   FROM log WHERE value IS NOT NULL`,
  `CREATE TABLE valid AS SELECT partition, "offset", symbol, id, ts, ts - ts % 60000 AS minute, price,
     CASE WHEN quantity IS NULL THEN amount / price ELSE quantity END AS quantity,
     CASE WHEN amount IS NULL THEN price * quantity ELSE amount END AS amount, currency, side, account, status,
     CASE status WHEN 'pending' THEN 0 WHEN 'executed' THEN 1 ELSE 2 END AS rank,
     max(ts) OVER (PARTITION BY symbol ORDER BY "offset" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) - 500
       AS watermark
   FROM received
   WHERE symbol IS NOT NULL AND ts IS NOT NULL AND price > 0 AND NOT is_text
     AND (side IS NULL OR side IN ('buy', 'sell'))
     AND coalesce(abs(price * quantity - amount) <= 1e-6 * greatest(amount, price * quantity), true)`,
  `CREATE TABLE judged AS SELECT *, coalesce(watermark >= minute + 600000, false) AS too_late FROM valid`,
  `CREATE TABLE known AS SELECT *,
     min("offset") OVER trade AS seen,
     price = first_value(price) OVER trade AND quantity IS NOT DISTINCT FROM first_value(quantity) OVER trade AS is_same
   FROM judged WHERE NOT too_late
   WINDOW trade AS (PARTITION BY symbol, id ORDER BY "offset"
     ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)`,
  `CREATE TABLE ranked AS SELECT *, max(rank) OVER (PARTITION BY symbol, id ORDER BY "offset"
     ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM known WHERE is_same`,
  `CREATE TABLE changes AS SELECT accepted.*, reference.version,
     accepted.amount * CASE accepted.currency WHEN 'USD' THEN 1 ELSE reference.eur END AS usd
   FROM (SELECT * FROM ranked WHERE before IS NULL OR rank > before) accepted
   ASOF LEFT JOIN reference ON accepted.partition = reference.partition AND accepted."offset" > reference."offset"`,
  `CREATE TABLE executions AS SELECT symbol, id, "offset", usd FROM changes WHERE status = 'executed'`,
  `CREATE TABLE placed AS SELECT changes.*, operator, minute - back * 60000 AS start,
     minute - back * 60000 + size AS "end",
     coalesce(watermark >= minute - back * 60000 + size + 300000, false) AS missed
   FROM changes, (VALUES ('tumbling-60000', 60000, 0), ('sliding-300000-60000', 300000, 0),
     ('sliding-300000-60000', 300000, 1), ('sliding-300000-60000', 300000, 2), ('sliding-300000-60000', 300000, 3),
     ('sliding-300000-60000', 300000, 4)) windows(operator, size, back)`,
  `CREATE TABLE counted AS SELECT placed.symbol, operator, start, placed.id, any_value(ts) AS ts,
     any_value(seen) AS seen, any_value("end") AS "end", any_value(price) AS price, any_value(quantity) AS quantity,
     arg_max(placed.status, placed."offset") AS status, any_value(executions.usd) AS usd
   FROM placed LEFT JOIN executions ON placed.symbol = executions.symbol AND placed.id = executions.id
   WHERE NOT missed GROUP BY placed.symbol, operator, start, placed.id`,
  `CREATE TABLE bars AS SELECT symbol, operator, start,
     count(*) FILTER (status = 'executed') AS count, count(*) FILTER (status = 'pending') AS pending,
     count(*) FILTER (status = 'cancelled') AS cancelled,
     first(price ORDER BY ts, seen) FILTER (status = 'executed') AS open,
     max(price) FILTER (status = 'executed') AS high, min(price) FILTER (status = 'executed') AS low,
     last(price ORDER BY ts, seen) FILTER (status = 'executed') AS close,
     fsum(quantity) FILTER (status = 'executed') AS volume,
     fsum(price * quantity) FILTER (status = 'executed') / fsum(quantity) FILTER (status = 'executed') AS vwap,
     fsum(usd) FILTER (status = 'executed') AS sum, min(usd) FILTER (status = 'executed') AS min,
     max(usd) FILTER (status = 'executed') AS max,
     fsum(usd) FILTER (status = 'executed') / count(usd) FILTER (status = 'executed') AS mean,
     min(ts) FILTER (status = 'executed') AS "firstTrade", max(ts) FILTER (status = 'executed') AS "lastTrade"
   FROM counted
   WHERE "end" <= (SELECT max(ts) - 500 FROM valid WHERE valid.symbol = counted.symbol)
   GROUP BY symbol, operator, start`,
  `CREATE TABLE latest AS SELECT symbol, id, arg_max(status, "offset") AS status, any_value(side) AS side,
     any_value(account) AS account, any_value(quantity) AS quantity FROM changes GROUP BY symbol, id`,
  `CREATE TABLE positions AS SELECT latest.symbol, account,
     coalesce(fsum(CASE WHEN status <> 'executed' THEN 0 WHEN side = 'buy' THEN quantity ELSE -quantity END), 0)
       AS quantity,
     coalesce(fsum(CASE WHEN status <> 'executed' THEN 0 WHEN side = 'buy' THEN usd ELSE -usd END), 0) AS notional,
     count(*) FILTER (status = 'executed') AS trades
   FROM latest JOIN executions USING (symbol, id)
   WHERE side IS NOT NULL AND account IS NOT NULL GROUP BY latest.symbol, account`,
  `CREATE TABLE alerts AS
     WITH raised AS (
       SELECT symbol, id, 'large' AS rule FROM executions WHERE usd > 20000
       UNION ALL SELECT symbol, id, 'restricted' FROM executions WHERE symbol = 'OIL')
     SELECT symbol || '/' || id || '/' || rule AS "alertId", 'raised' AS status FROM raised
     UNION ALL SELECT symbol || '/' || id || '/' || rule, 'withdrawn' FROM raised JOIN latest USING (symbol, id)
       WHERE latest.status = 'cancelled'`,
];
