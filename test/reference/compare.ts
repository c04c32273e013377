import { isDeepStrictEqual } from "node:util";
import type { WindowRecord } from "../../domain/records.ts";
import { headers, topics } from "../../domain/topics.ts";
import { line } from "./describe.ts";
import type { Output, Run } from "./log.ts";

/** Relative bound on computed statistics; minima and maxima of values as received are exact. */
const TOLERANCE = 1e-9;

/** Where the product's outputs first differ from the reference's, as a sentence; undefined when they agree. */
export function difference(expected: Run, actual: Run): string | undefined {
  for (let i = 0; i < Math.max(expected.outputs.length, actual.outputs.length); i += 1) {
    const [want, got] = [expected.outputs[i], actual.outputs[i]];
    const problem = want === undefined || got === undefined ? "one is missing" : outputProblem(want, got);
    if (problem !== undefined) return `output ${i}: ${problem}\n  reference: ${show(want)}\n  product:   ${show(got)}`;
  }
  if (actual.duplicates !== undefined && expected.duplicates !== actual.duplicates)
    return `duplicates: reference ${expected.duplicates}, product ${actual.duplicates}`;
  return undefined;
}

/** Where two runs of the product first differ by as much as a byte. */
export function byteDifference(one: Run, other: Run): string | undefined {
  const i = Array.from({ length: Math.max(one.outputs.length, other.outputs.length) }).findIndex(
    (_, at) => !isDeepStrictEqual(one.outputs[at], other.outputs[at]),
  );
  if (i === -1)
    return one.duplicates === other.duplicates
      ? undefined
      : `duplicates: ${one.duplicates} against ${other.duplicates}`;
  return `output ${i}:\n  one:   ${show(one.outputs[i])}\n  other: ${show(other.outputs[i])}`;
}

function show(output: Output | undefined): string {
  if (output === undefined) return "nothing";
  const value =
    output.value instanceof Uint8Array ? Buffer.from(output.value).toString("utf8") : JSON.stringify(output.value);
  return `${line(output)}\n    ${value.slice(0, 400)} ${JSON.stringify(output.headers)}`;
}

function outputProblem(want: Output, got: Output): string | undefined {
  if (want.topic !== got.topic) return `topic ${want.topic} against ${got.topic}`;
  if (want.key !== got.key) return `key ${want.key} against ${got.key}`;
  const trace = headers.traceparent;
  if (want.headers[trace] !== got.headers[trace])
    return `header ${trace}: ${want.headers[trace]} against ${got.headers[trace]}`;
  if (want.topic === topics.deadLetter.name) return deadLetterProblem(want, got);
  if (want.topic === topics.transformed.name)
    return transformedProblem(want.value as Transformed, got.value as Transformed);
  if (want.topic === topics.aggregated.name)
    return windowProblem(want.value as WindowRecord, got.value as WindowRecord);
  const sums = sumsOf[want.topic];
  return sums === undefined
    ? fieldsProblem(want.value as object, got.value as object)
    : sumsProblem(want.value, got.value, sums);
}

/** Relative bound on the market's sums. */
const SUM_TOLERANCE = 1e-12;
/** Fields of a record that are sums, or made of them; all others are exact. */
const sumsOf: Readonly<Record<string, readonly string[]>> = {
  [topics.marketAggregated.name]: ["volume", "vwap", "sum", "mean"],
  [topics.marketPositions.name]: ["quantity", "notional"],
};

/** Equality of what JSON represents, exact except for sums. */
function sumsProblem(want: unknown, got: unknown, sums: readonly string[], name = ""): string | undefined {
  if (isObject(want) && isObject(got)) {
    const names = new Set([...Object.keys(want), ...Object.keys(got)]);
    for (const field of names) {
      const problem = sumsProblem(want[field], got[field], sums, field);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  const isNear =
    sums.includes(name) &&
    typeof want === "number" &&
    typeof got === "number" &&
    Math.abs(want - got) <= SUM_TOLERANCE * Math.abs(want);
  return isNear || want === got ? undefined : `${name}: ${JSON.stringify(want)} against ${JSON.stringify(got)}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Exact equality of what JSON represents. */
function fieldsProblem(want: object, got: object): string | undefined {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(want)), JSON.parse(JSON.stringify(got)))
    ? undefined
    : "values differ";
}

function deadLetterProblem(want: Output, got: Output): string | undefined {
  for (const [name, value] of Object.entries(want.headers))
    // Of a trade with several faults, any of their codes may be told.
    if (!value.split("|").includes(got.headers[name]!)) return `header ${name}: ${value} against ${got.headers[name]}`;
  for (const name of [headers.errorMessage, headers.stage]) if (!got.headers[name]) return `header ${name} is missing`;
  const bytes = (value: unknown): string | undefined =>
    value === null ? undefined : Buffer.from(value as Uint8Array).toString("base64");
  return bytes(want.value) === bytes(got.value) ? undefined : "the source bytes were not kept";
}

interface Transformed {
  readonly id: string;
  readonly sensorId: string;
  readonly seq: number;
  readonly boot?: string;
  readonly t: readonly number[];
  readonly accMag: readonly number[];
}

function transformedProblem(want: Transformed, got: Transformed): string | undefined {
  const identity = ({ id, sensorId, seq, boot, t }: Transformed): object => ({ id, sensorId, seq, boot, t });
  if (want.accMag.length !== got.accMag?.length) return "the lengths of accMag differ";
  if (want.accMag.some((value, i) => !near(value, got.accMag[i]!, Math.abs(value)))) return "accMag differs";
  return fieldsProblem(identity(want), identity(got));
}

function windowProblem(want: WindowRecord, got: WindowRecord): string | undefined {
  const { channels: wanted, ...wantedRest } = want;
  const { channels: given, ...givenRest } = got;
  const rest = fieldsProblem(wantedRest, givenRest);
  if (rest !== undefined) return rest;
  if (!isDeepStrictEqual(Object.keys(wanted).sort(), Object.keys(given).sort())) return "the channels differ";
  for (const [channel, statistics] of Object.entries(wanted)) {
    const product = given[channel as keyof typeof given];
    const scale = Math.max(Math.abs(statistics.min), Math.abs(statistics.max));
    const exact = !channel.endsWith("Mag");
    for (const name of Object.keys(statistics) as (keyof typeof statistics)[]) {
      const equal =
        exact && (name === "min" || name === "max")
          ? statistics[name] === product[name] + 0
          : near(statistics[name], product[name], scale);
      if (!equal) return `${channel}.${name}: ${statistics[name]} against ${product[name]}`;
    }
  }
  return undefined;
}

/** Within the tolerance of the value, or within the rounding error at the scale of the readings. */
function near(want: number, got: number, scale: number): boolean {
  return Math.abs(want - got) <= Math.max(TOLERANCE * Math.abs(want), 1e-14 * scale);
}
