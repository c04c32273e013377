import { parseArgs } from "node:util";
import { semanticsProblems } from "../config/settings.ts";
import { MillraceError } from "../domain/errors.ts";
import { defaultSemantics, type Semantics } from "../domain/imu.ts";

/** Options of the semantics, in milliseconds. */
const SEMANTICS_OPTIONS = {
  window: "windowMs",
  slide: "slideMs",
  lateness: "allowedLatenessMs",
  "out-of-orderness": "outOfOrdernessMs",
  "session-gap": "sessionGapMs",
  "idle-timeout": "idleTimeoutMs",
  "future-guard": "futureGuardMs",
  expiry: "expiryMs",
  tombstone: "tombstoneMs",
} as const satisfies Record<string, keyof Semantics>;

const USAGE = `npm run replay -- --input FILE [--flush] [${Object.keys(SEMANTICS_OPTIONS).map((name) => `--${name} MS`).join("] [")}] [--watermark sensor|partition] [--transformed packed|json] [--models FOLDER]
Runs the processor over a file of Kafka records (NDJSON, as \`npm run dump\` writes it) and writes its outputs as NDJSON.`;

export interface ReplayOptions {
  readonly input: string;
  readonly flush: boolean;
  readonly semantics: Semantics;
  /** Folder or S3 prefix of the models that the log's control records name; without it they are refused. */
  readonly models: string | undefined;
}

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseReplayArguments(args: readonly string[]): ReplayOptions {
  const names = Object.keys(SEMANTICS_OPTIONS) as (keyof typeof SEMANTICS_OPTIONS)[];
  const { values, tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: { input: { type: "string" }, models: { type: "string" }, flush: { type: "boolean" }, watermark: { type: "string" }, transformed: { type: "string" }, ...Object.fromEntries(names.map((name) => [name, { type: "string" as const }])) },
  });
  const known = new Set(["input", "models", "flush", "watermark", "transformed", ...names]);
  const problems = tokens.flatMap((token) => (token.kind === "positional" ? [`${JSON.stringify(token.value)} is no option`] : token.kind === "option" && !known.has(token.name) ? [`${token.rawName} is no option`] : []));
  const semantics: Record<string, number | string> = { ...defaultSemantics };
  for (const name of names) {
    const received = values[name];
    if (received === undefined) continue;
    const milliseconds = typeof received === "string" && /^\d+$/.test(received) ? Number(received) : NaN;
    const least = name === "lateness" || name === "out-of-orderness" || name === "future-guard" || name === "tombstone" ? 0 : 1;
    if (!(milliseconds >= least)) problems.push(`--${name} is ${JSON.stringify(received)}; whole milliseconds of at least ${least} are expected`);
    semantics[SEMANTICS_OPTIONS[name]] = milliseconds;
  }
  // A window that was set alone is a tumbling one.
  if (values["window"] !== undefined && values["slide"] === undefined) semantics["slideMs"] = semantics["windowMs"]!;
  for (const [name, field, allowed] of [["watermark", "watermark", ["sensor", "partition"]], ["transformed", "transformedFormat", ["packed", "json"]]] as const) {
    const received = values[name];
    if (received === undefined) continue;
    if (typeof received === "string" && (allowed as readonly string[]).includes(received)) semantics[field] = received;
    else problems.push(`--${name} is ${JSON.stringify(received)}; expected is ${allowed.join(" or ")}`);
  }
  const { input } = values;
  if (typeof input !== "string") problems.push("--input FILE is missing");
  if (problems.length === 0) problems.push(...semanticsProblems(semantics as unknown as Semantics));
  if (problems.length > 0) throw new MillraceError("arguments-invalid", `${problems.map((problem) => `- ${problem}`).join("\n")}\n${USAGE}`);
  return { input: input as string, flush: values["flush"] === true, semantics: semantics as unknown as Semantics, models: typeof values["models"] === "string" ? values["models"] : undefined };
}
