import { decodeColumns } from "../../../domain/columns.ts";
import type { PipelineName } from "../../../domain/pipelines.ts";
import type { EpochMs } from "../../../domain/time.ts";
import { contentTypes, headers as headerNames, type TopicKey } from "../../../domain/topics.ts";
import type { Subject } from "./subject.ts";

/** An output that tells of a message. */
export interface Output {
  readonly topic: TopicKey;
  /** `<topic>/<partition>/<offset>`, where it stands; from the lake `lake/<table>`. */
  readonly place: string;
  readonly id: string;
  /** When it was written; from the lake, when the record that caused it was appended. Null where that is not known. */
  readonly at: EpochMs | null;
  /** `holds`: the message's readings are in it. `caused`: it fired in the message's step, and is of other readings. */
  readonly role: "holds" | "caused";
  /** What it is, in words. */
  readonly what: string;
}

/** A record of an output topic. */
export interface OutputSource {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Fields of output records that are read here; each topic has some of them. */
export interface OutputFields {
  readonly id: string;
  readonly seq?: number;
  readonly boot?: string;
  readonly trade_id?: string;
  readonly trade?: { readonly trade_id?: string };
  readonly window?: { readonly start: EpochMs; readonly end: EpochMs };
  readonly start?: EpochMs;
  readonly end?: EpochMs | null;
  readonly type?: string;
  readonly sessionId?: string;
  readonly operator?: string;
  readonly revision?: number | null;
  readonly cause?: string | null;
  readonly count?: number;
  readonly samples?: number | readonly unknown[] | null;
  readonly label?: string | null;
  readonly model?: { readonly name: string; readonly version: string };
  readonly account?: string;
  readonly rule?: string;
  readonly status?: string;
}

/** How far into a value its id may stand. */
const ID_BYTES = 600;

/** The id of an output record, without decoding the record; null where it has none. */
export function idOf(value: Uint8Array | null): string | null {
  const beginning = Buffer.from(value ?? []).toString("latin1", 0, ID_BYTES);
  return /\{"id":"([^"\\]+)"/.exec(beginning)?.[1] ?? null;
}

/** What an output record says of a message; null for nothing. `own`: whether it fired in the message's own step. */
export function relationOf(
  topic: TopicKey,
  { value, headers }: OutputSource,
  subject: Subject,
  own: boolean,
): Relation | null {
  const fields = fieldsOf(value, headers);
  return fields && relationOfFields(topic, fields, subject, own);
}

/** What an output says of a message. */
export type Relation = Pick<Output, "id" | "role" | "what">;

/** The same of an output whose fields are read. */
export function relationOfFields(
  topic: TopicKey,
  fields: OutputFields,
  { identity, times }: Subject,
  own: boolean,
): Relation | null {
  const holds = holdsMessage(topic, fields, identity, times, own);
  if (!holds && !own) return null;
  return { id: fields.id, role: holds ? "holds" : "caused", what: whatOf(topic, fields) };
}

function fieldsOf(value: Uint8Array | null, headers: OutputSource["headers"]): OutputFields | null {
  if (value === null) return null;
  try {
    if (headers[headerNames.contentType] === contentTypes.columnsPacked)
      return decodeColumns(value).header as OutputFields;
    return JSON.parse(Buffer.from(value).toString("utf8")) as OutputFields;
  } catch {
    return null;
  }
}

function holdsMessage(
  topic: TopicKey,
  fields: OutputFields,
  { seq, boot, tradeId }: Subject["identity"],
  times: Subject["times"],
  own: boolean,
): boolean {
  switch (topic) {
    case "transformed":
      return seq !== null && fields.seq === seq && (fields.boot ?? null) === boot;
    case "late":
    case "marketLate":
    case "marketEnriched":
    case "marketPositions":
      return own;
    case "marketAlerts":
      return tradeId !== null && fields.trade?.trade_id === tradeId;
    case "sessions":
      return times !== null && fields.start! <= times.last && (fields.end ?? Infinity) >= times.first;
    default:
      return times !== null && fields.window!.start <= times.last && fields.window!.end > times.first;
  }
}

function whatOf(topic: TopicKey, fields: OutputFields): string {
  const { window, operator, revision, cause, count, type, sessionId, samples, label, model } = fields;
  const interval = window ? `[${iso(window.start)}, ${iso(window.end)})` : "";
  const again = revision ? `, revision ${revision}` : "";
  switch (topic) {
    case "aggregated":
    case "marketAggregated":
      return `window ${operator} ${interval}, ${count} in it${again}, cause ${cause}`;
    case "late":
    case "marketLate":
      return `late for ${operator} ${interval}`;
    case "sessions":
      return type === "started"
        ? `session ${sessionId} started`
        : `session ${sessionId} ended, ${String(samples)} samples${again}, cause ${cause}`;
    case "inference":
      return `inference ${interval}: ${label ?? "no label"}, by ${model?.name} ${model?.version}`;
    case "transformed":
      return `transformed message, seq ${fields.seq}`;
    case "marketEnriched":
      return `enriched trade ${fields.trade_id}`;
    case "marketPositions":
      return `position of account ${fields.account}`;
    case "marketAlerts":
      return `alert ${fields.rule} ${fields.status}`;
    default:
      return topic;
  }
}

function iso(time: EpochMs): string {
  return new Date(time).toISOString();
}

/** The pipelines' outputs that may hold a message long after its step: a session ends when it ends. */
const LASTING: Readonly<Record<PipelineName, readonly TopicKey[]>> = {
  sensor: ["sessions"],
  market: ["marketAlerts"],
};

/** Whether outputs of a topic are looked for to the topic's end, not just for some minutes. */
export function isLasting(pipeline: PipelineName, topic: TopicKey): boolean {
  return LASTING[pipeline].includes(topic);
}
