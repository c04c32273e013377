import type { DuckDBConnection } from "@duckdb/node-api";
import type { TimeRange } from "../../../adapters/read-partition.ts";
import { ERASED } from "../../../domain/controls.ts";
import { readLetter } from "../../../domain/dead-letters.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { logName, topicOfLog } from "../../../domain/names.ts";
import { pipelineNames, pipelines, type PipelineName } from "../../../domain/pipelines.ts";
import { readRecordId } from "../../../domain/records.ts";
import { logTableOf, tables, type TableName, type TableSpec } from "../../../domain/tables.ts";
import { HOUR, type EpochMs } from "../../../domain/time.ts";
import { headers as headerNames, topics, type TopicKey } from "../../../domain/topics.ts";
import { toJson } from "../../../local/lake/json.ts";
import { openLake } from "../../../local/lake/open.ts";
import { type LakeSelection, rawLakeRecords } from "../../adapters/raw-lake.ts";
import type { KnownRecord } from "../../runtime/machine.ts";
import type { Wanted } from "./arguments.ts";
import { Arrivals } from "./arrivals.ts";
import { type Output, type OutputFields, relationOfFields } from "./outputs.ts";
import { type Arrival, judge } from "./story.ts";
import { type Identity, isSame, nameOf, subjectOf, type Subject } from "./subject.ts";
import type { Story } from "./tell.ts";

/** Copies of a message that was found by its place or its trace id are looked for in so much time around it. */
const AROUND = HOUR;
/** Arrivals of one message that are told, the first ones. */
const MAX_ARRIVALS = 20;

/** A record of a log that the lake has. */
type LakeRecord = KnownRecord & { readonly log: string };

interface FoundInLake {
  readonly pipeline: PipelineName;
  readonly identity: Identity;
  readonly arrivals: Pick<Arrivals<LakeRecord>, "records" | "before" | "after">;
  readonly since: EpochMs;
  readonly complete: boolean;
}

/** A row of a table, as JSON. */
type Row = Readonly<Record<string, unknown>>;

/**
 * Tells of a message from the lake: for what the log has lost by retention, and for logs that were lost.
 *
 * @param generation The newest log's
 * @throws MillraceError `arguments-invalid` for a record or a trace that is not there, or a folder that is no lake
 */
export async function tellFromLake(dir: string, generation: number, wanted: Wanted, times: TimeRange): Promise<Story> {
  const lake = await openLake(dir);
  try {
    return await new LakeStory(dir, lake, generation).tell(wanted, times);
  } finally {
    lake.closeSync();
  }
}

class LakeStory {
  readonly #dir: string;
  readonly #lake: DuckDBConnection;
  readonly #generation: number;

  constructor(dir: string, lake: DuckDBConnection, generation: number) {
    this.#dir = dir;
    this.#lake = lake;
    this.#generation = generation;
  }

  async tell(wanted: Wanted, times: TimeRange): Promise<Story> {
    const { pipeline, identity, arrivals, since, complete } = await this.#find(wanted, times);
    const records = arrivals.records.slice(0, MAX_ARRIVALS);
    const found: Arrival[] = [];
    for (const record of records) found.push(await this.#arrivalOf(pipeline, record));
    const stories = judge(found, Infinity, since, "lake").map((story, i) =>
      records[i]!.headers[headerNames.type] === ERASED
        ? { ...story, why: "its sensor was erased: place and time are all that is left of it" }
        : story,
    );
    return {
      wanted: nameOf(identity),
      arrivals: stories,
      letters: stories.length > 0 ? [] : await this.#lettersOfBridge(identity, times),
      deliveries: [],
      neighbours:
        stories.length > 0
          ? []
          : [arrivals.before, arrivals.after].flatMap((neighbour) => {
              if (neighbour === null) return [];
              const { seq, record } = neighbour;
              const place = `${record.log}/${record.partition}/${record.offset}`;
              return [{ seq, place, appendedAt: record.timestamp }];
            }),
      notes: [
        "told from the lake, which is minutes behind the log and has nothing of " +
          `${withoutTable(pipeline).join(", ")}; the time of an output is that of the record that caused it`,
        ...(stories.length === 0 && identity.seq !== null && arrivals.before === null && arrivals.after === null
          ? ["no other message of the same boot arrived in that time either"]
          : []),
        ...(complete ? [] : ["copies were looked for within an hour of it"]),
        ...(arrivals.records.length > records.length
          ? [`it arrived ${arrivals.records.length} times; the first ${records.length} are told`]
          : []),
      ],
    };
  }

  async #find(wanted: Wanted, times: TimeRange): Promise<FoundInLake> {
    switch (wanted.kind) {
      case "message":
        return this.#byIdentity(
          "sensor",
          { key: wanted.sensor, seq: wanted.seq, boot: wanted.boot, tradeId: null },
          times,
        );
      case "trade":
        return this.#byIdentity(
          "market",
          { key: wanted.symbol, seq: null, boot: null, tradeId: wanted.tradeId },
          times,
        );
      case "record":
        return this.#byPlace(wanted);
      case "session":
        return this.#bySession(wanted.sessionId);
      case "trace":
        return this.#byTraceId(wanted, times);
    }
  }

  async #byIdentity(
    pipeline: PipelineName,
    identity: Identity & { readonly key: string },
    times: TimeRange,
  ): Promise<FoundInLake> {
    const arrivals = new Arrivals<LakeRecord>(pipeline, identity);
    for await (const record of this.#records(pipeline, { key: identity.key, times })) arrivals.take(record);
    return { pipeline, identity, arrivals, since: times.from, complete: true };
  }

  async #byPlace(place: Extract<Wanted, { kind: "record" }>): Promise<FoundInLake> {
    const { log, partition, offset } = await this.#inputPlace(place);
    const pipeline = pipelineNames.find((name) => topics[pipelines[name].input].name === topicOfLog(log));
    if (!pipeline)
      throw notThere(
        `${log} is no input: the lake has outputs by their ids, not by their places. Give the id, ` +
          "<input>/<partition>/<offset>/<n>",
      );
    for await (const record of this.#recordsOf(log, { partitions: [partition], offset }))
      return this.#around(pipeline, record);
    throw notThere(`${log}/${partition}/${offset} is not in the lake ${this.#dir}`);
  }

  /** By the record that began a session. */
  async #bySession(sessionId: string): Promise<FoundInLake> {
    const [row] = await this.#select(
      "SELECT id FROM sessions_exact WHERE session_id = $sessionId ORDER BY revision NULLS FIRST LIMIT 1",
      { sessionId },
    );
    const id = row && readRecordId(row["id"] as string);
    if (!id) throw notThere(`the session ${sessionId} is not in the lake ${this.#dir}`);
    const at = id.source.lastIndexOf("/");
    const [topic, partition] = [id.source.slice(0, at), Number(id.source.slice(at + 1))];
    return this.#byPlace({ kind: "record", topic, partition, offset: id.position.offset });
  }

  /** The record that a dead letter is about, or the place itself. */
  async #inputPlace({ topic, partition, offset }: Extract<Wanted, { kind: "record" }>) {
    if (topic !== topics.deadLetter.name) return { log: topic, partition, offset };
    const id = `${topic}/${partition}/${offset}`;
    const [row] = await this.#select("SELECT * FROM dead_letters_exact WHERE id = $id", { id });
    if (!row) throw notThere(`${id} is not in the lake ${this.#dir}`);
    const { source } = letterOf(row);
    if (source) return { log: source.topic, partition: source.partition, offset: source.offset };
    throw notThere(
      `${id} was written by the bridge: Kafka could not take its message, so it never was in an input. The table ` +
        "dead_letters has all of it",
    );
  }

  async #byTraceId({ traceId, key }: Extract<Wanted, { kind: "trace" }>, times: TimeRange): Promise<FoundInLake> {
    for (const pipeline of pipelineNames)
      for await (const record of this.#records(pipeline, { traceId, times, ...(key === undefined ? {} : { key }) }))
        return this.#around(pipeline, record);
    throw notThere(`no record in the lake ${this.#dir} has the trace id ${traceId} in that time`);
  }

  /** The arrivals of the message that a record is, itself and copies near it. */
  async #around(pipeline: PipelineName, record: LakeRecord): Promise<FoundInLake> {
    const { identity } = subjectOf(pipeline, record);
    const { key } = identity;
    const times = { from: record.timestamp - AROUND, to: record.timestamp + AROUND };
    if (key !== null && isSame(identity, identity))
      return { ...(await this.#byIdentity(pipeline, { ...identity, key }, times)), complete: false };
    const arrivals = { records: [record], before: null, after: null };
    return { pipeline, identity, arrivals, since: record.timestamp, complete: true };
  }

  /** Records of all logs of a pipeline's input, the oldest log first; none where the lake has no such table. */
  async *#records(pipeline: PipelineName, only: LakeSelection): AsyncGenerator<LakeRecord> {
    const topic = topics[pipelines[pipeline].input].name;
    for (let generation = 1; generation <= this.#generation; generation++)
      yield* this.#recordsOf(logName(topic, generation), only);
  }

  async *#recordsOf(log: string, only: LakeSelection): AsyncGenerator<LakeRecord> {
    const topic = topicOfLog(log);
    if (!(await this.#has(logTableOf(topic).name))) return;
    for await (const record of rawLakeRecords(this.#dir, topic, log, () => undefined, only)) yield { ...record, log };
  }

  /** Whether a table has rows. @throws MillraceError `arguments-invalid` where the folder has no table at all */
  async #has(table: string): Promise<boolean> {
    const { raw, market_raw: trades } = tables;
    const counted = await Promise.all(
      [raw.name, trades.name].map((name) => this.#select(`SELECT count(*) AS n FROM ${name}`, {})),
    );
    const counts = new Map([raw.name, trades.name].map((name, i) => [name as string, Number(counted[i]![0]!["n"])]));
    if ([...counts.values()].every((count) => count === 0))
      throw notThere(
        `${this.#dir} is no lake: expected is a folder such as .millrace/data/lake, or a copy of the bucket. ` +
          "On AWS the named query story-of-a-record of Athena's work group tells the same of one record",
      );
    return (counts.get(table) ?? 0) > 0;
  }

  async #arrivalOf(pipeline: PipelineName, record: LakeRecord): Promise<Arrival> {
    const { log, partition, offset, timestamp, headers, key, value } = record;
    const subject = subjectOf(pipeline, record);
    const ingestMs = Number(headers[headerNames.ingestMs] ?? NaN);
    const outputs: Output[] = [];
    for (const topic of pipelines[pipeline].outputs) outputs.push(...(await this.#outputsIn(topic, record, subject)));
    const texts = Object.entries(headers).flat();
    return {
      place: `${log}/${partition}/${offset}`,
      offset,
      subject,
      appendedAt: timestamp,
      ingestMs: Number.isNaN(ingestMs) ? null : ingestMs,
      traceparent: headers[headerNames.traceparent] ?? null,
      reinjectedFrom: headers[headerNames.reinjectedFrom] ?? null,
      bytes: (key?.length ?? 0) + (value?.length ?? 0) + texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
      letters: await this.#letters(
        "source_topic = $log AND source_partition = $partition AND source_offset = $offset",
        { log, partition, offset },
      ),
      outputs: (await this.#withTimes(outputs)).sort((a, b) => (a.at ?? Infinity) - (b.at ?? Infinity)),
    };
  }

  /** The outputs of a topic that tell of a message. */
  async #outputsIn(topic: TopicKey, { log, partition, offset }: LakeRecord, subject: Subject): Promise<Output[]> {
    const table = tableOf(topic);
    if (table === null) return [];
    const { key, tradeId } = subject.identity;
    const { first = NaN, last = NaN } = subject.times ?? {};
    const isLate = topic === "late";
    const holds = isLate || key === null ? "false" : conditionOf(topic);
    const rows = await this.#select(
      `SELECT * FROM ${table}_exact
       WHERE starts_with(id, $source) AND (starts_with(id, $own) OR (${keyColumn(topic)} = $key AND ${holds}))`,
      {
        source: `${log}/${partition}/`,
        own: `${log}/${partition}/${offset}/`,
        key: key ?? "",
        ...(holds.includes("$first") ? { first, last } : {}),
        ...(holds.includes("$trade") ? { trade: tradeId ?? "" } : {}),
      },
    );
    return rows.flatMap((row) => {
      const fields = fieldsOf(row);
      const causedBy = readRecordId(fields.id)?.position.offset ?? -1;
      const relation = causedBy < offset ? null : relationOfFields(topic, fields, subject, causedBy === offset);
      return relation ? [{ ...relation, topic, place: `lake/${table}`, at: null }] : [];
    });
  }

  /** Outputs with the times of the records that caused them. */
  async #withTimes(outputs: readonly Output[]): Promise<Output[]> {
    if (outputs.length === 0) return [];
    const causes = outputs.map(({ id }) => id.slice(0, id.lastIndexOf("/")));
    const table = logTableOf(topicOfLog(causes[0]!.split("/")[0]!)).name;
    const list = [...new Set(causes)].map((id) => `'${id.replaceAll("'", "''")}'`).join(", ");
    const rows = await this.#select(`SELECT id, "timestamp" FROM ${table}_exact WHERE id IN (${list})`, {});
    const times = new Map(rows.map((row) => [row["id"] as string, Number(row["timestamp"])]));
    return outputs.map((output, i) => ({ ...output, at: times.get(causes[i]!) ?? null }));
  }

  /** Letters of the bridge about a message that never was in the log. */
  async #lettersOfBridge({ key, seq, boot }: Identity, { from }: TimeRange): Promise<Arrival["letters"]> {
    if (key === null || seq === null) return [];
    const letters = await this.#select(
      `SELECT * FROM dead_letters_exact
       WHERE stage = 'bridge' AND key_text = $key AND "timestamp" >= $from AND parts = 1`,
      { key, from },
    );
    return letters.flatMap((row) => {
      const letter = letterOf(row);
      const headers = letter.contentType === null ? {} : { [headerNames.contentType]: letter.contentType };
      const value = row["value"] === null ? null : Buffer.from(row["value"] as string, "base64");
      const { identity } = subjectOf("sensor", { key: Buffer.from(key), value, headers });
      const other = { ...identity, boot: boot === null ? null : identity.boot };
      return isSame(other, { key, seq, boot, tradeId: null }) ? [letter] : [];
    });
  }

  async #letters(condition: string, values: Record<string, string | number>): Promise<Arrival["letters"]> {
    const rows = await this.#select(
      `SELECT * FROM dead_letters_exact WHERE part = 0 AND ${condition} ORDER BY "timestamp"`,
      values,
    );
    return rows.map(letterOf);
  }

  async #select(sql: string, values: Record<string, string | number>): Promise<Row[]> {
    const result = await this.#lake.runAndReadAll(sql, values);
    return result
      .getRowObjects()
      .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, toJson(value)])));
  }
}

/** A dead letter of the lake, as its readers get it from Kafka. */
function letterOf(row: Row): Arrival["letters"][number] {
  const place = { partition: Number(row["partition"]), offset: Number(row["offset"]) };
  const letter = readLetter({
    ...place,
    timestamp: Number(row["timestamp"]),
    key: row["key_text"] as string | null,
    headers: row["headers_text"] as Record<string, string>,
  });
  return { ...letter, place: `${topics.deadLetter.name}/${place.partition}/${place.offset}` };
}

/** The table of an output topic; null where the lake has none. */
function tableOf(topic: TopicKey): TableName | null {
  const found = Object.values<TableSpec>(tables).find(({ sources }) => sources.includes(topics[topic].name));
  return (found?.name as TableName | undefined) ?? null;
}

/** The output topics of a pipeline that have no table. */
function withoutTable(pipeline: PipelineName): string[] {
  return pipelines[pipeline].outputs.filter((topic) => tableOf(topic) === null).map((topic) => topics[topic].name);
}

function keyColumn(topic: TopicKey): string {
  return topic === "marketAggregated" || topic === "marketAlerts" ? "symbol" : "sensor_id";
}

/** Which rows may hold a message by its time, or by its trade. */
function conditionOf(topic: TopicKey): string {
  if (topic === "sessions") return `start <= $last AND coalesce("end", $last) >= $first`;
  if (topic === "marketAlerts") return "trade_id = $trade";
  return "window_start <= $last AND window_end > $first";
}

/** The fields of an output, by the names that its record has. */
function fieldsOf(row: Row): OutputFields {
  const { window_start: start, window_end: end, session_id: sessionId, model_name: name, model_version: version } = row;
  return {
    ...row,
    ...(start === undefined ? {} : { window: { start, end } }),
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(name === undefined ? {} : { model: { name, version } }),
    ...(row["trade_id"] === undefined ? {} : { trade: { trade_id: row["trade_id"] } }),
  } as unknown as OutputFields;
}

function notThere(message: string): MillraceError {
  return new MillraceError("arguments-invalid", message);
}
