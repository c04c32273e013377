import { flag, instant, parseCommandLine, text, whole, type OptionValues } from "../../../adapters/command-line.ts";
import { readRecordId } from "../../../domain/records.ts";
import { HOUR, type EpochMs } from "../../../domain/time.ts";
import { isTraceparent } from "../../../domain/traceparent.ts";

const USAGE = `npm run trace -- --sensor ID --seq N [--boot B] | --symbol NAME --trade ID | NAME [OPTION …]
Tells the story of one message from the log: received, appended, processed or why not, every output, and which
functions (lake, stores, features) have taken them.
NAME is one of
  a record       imu-data-all/3/1234, the id of an output such as imu-data-all/3/1234/0, or dead-letter/3/17
  a session      s01-sw@1657533977813: the message that began it
  a trace        a trace id (32 hex digits) or a traceparent; with --sensor or --symbol it is found faster
and the options are
  --from TIME    where to look for it: appended then or later (default 1h)
  --to TIME      appended before then (default now)
  --from-lake DIR  from a lake instead of the log, which has it no longer; --from is then the lake's first record. A
                 folder, or the tables in S3 (s3://BUCKET/tables), which are copied to a temporary folder
  --json         the whole story as one line of JSON
  --brokers HOST:PORT,…
TIME is epoch ms, 2026-01-31T12:00:00Z, or how long ago: 90s, 15m, 2h, 1d.`;

const options = {
  sensor: text,
  seq: whole(),
  boot: text,
  symbol: text,
  trade: text,
  from: instant,
  to: instant,
  "from-lake": text,
  json: flag,
  brokers: text,
};
type Values = OptionValues<typeof options>;

/** A sensor and the time of a first sample, which may have fractions. */
const SESSION_ID = /^[A-Za-z0-9:_-]{1,128}@-?\d+(?:\.\d+)?$/;

/** What is looked for. */
export type Wanted =
  | { readonly kind: "message"; readonly sensor: string; readonly seq: number; readonly boot: string | null }
  | { readonly kind: "trade"; readonly symbol: string; readonly tradeId: string }
  | { readonly kind: "record"; readonly topic: string; readonly partition: number; readonly offset: number }
  | { readonly kind: "session"; readonly sessionId: string }
  | { readonly kind: "trace"; readonly traceId: string; readonly key: string | undefined };

export interface TraceArguments {
  readonly wanted: Wanted;
  /** When it was appended: inclusive, exclusive. */
  readonly times: { readonly from: EpochMs; readonly to: EpochMs };
  /** Folder of a lake; undefined for the log. */
  readonly lakeDir: string | undefined;
  readonly json: boolean;
  readonly brokers: string | undefined;
}

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseTraceArguments(args: readonly string[]): TraceArguments {
  const { values, positionals } = parseCommandLine(args, {
    usage: USAGE,
    options,
    takesPositionals: true,
    check: (given, [name, ...more]) =>
      more.length === 0 && wantedOf(given, name) !== null
        ? []
        : ["one of --sensor with --seq, --symbol with --trade, a record, a session and a trace is expected"],
  });
  const lakeDir = values["from-lake"];
  const { from = lakeDir === undefined ? Date.now() - HOUR : 0, to = Infinity, json = false, brokers } = values;
  return { wanted: wantedOf(values, positionals[0])!, times: { from, to }, lakeDir, json, brokers };
}

function wantedOf({ sensor, seq, boot, symbol, trade }: Values, name: string | undefined): Wanted | null {
  if (name === undefined) {
    if (sensor !== undefined && seq !== undefined && symbol === undefined && trade === undefined)
      return { kind: "message", sensor, seq, boot: boot ?? null };
    if (symbol !== undefined && trade !== undefined && sensor === undefined && seq === undefined && boot === undefined)
      return { kind: "trade", symbol, tradeId: trade };
    return null;
  }
  if (seq !== undefined || boot !== undefined || trade !== undefined) return null;
  const traceId = isTraceparent(name) ? name.slice(3, 35) : name;
  if (/^[0-9a-f]{32}$/.test(traceId)) return { kind: "trace", traceId, key: sensor ?? symbol };
  if (sensor !== undefined || symbol !== undefined) return null;
  return SESSION_ID.test(name) ? { kind: "session", sessionId: name } : recordOf(name);
}

/** `<log>/<partition>/<offset>`, with the output's number behind it or without. */
function recordOf(name: string): Wanted | null {
  const parts = name.split("/");
  const id = readRecordId(parts.length === 3 ? `${name}/0` : name);
  if (id === null || (parts.length !== 3 && parts.length !== 4)) return null;
  const [topic, partition] = parts as [string, string];
  return /^\d+$/.test(partition)
    ? { kind: "record", topic, partition: Number(partition), offset: id.position.offset }
    : null;
}
