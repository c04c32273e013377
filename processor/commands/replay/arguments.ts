import { parseArgs } from "node:util";
import { deadLetterCodes, MillraceError } from "../../../domain/errors.ts";
import { semanticsProblems, defaultSemantics, type Semantics } from "../../../domain/semantics.ts";

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

const USAGE = `npm run replay -- --input FILE | --from-lake DIR [--flush] [${Object.keys(SEMANTICS_OPTIONS)
  .map((name) => `--${name} MS`)
  .join("] [")}] [--watermark sensor|partition] [--transformed packed|json] [--models FOLDER]
Runs the processor over a file of Kafka records (NDJSON, as \`npm run dump\` writes it), or over the raw table of a lake, and writes its outputs as NDJSON.

npm run replay -- --from-dead-letter [--code CODE] [--brokers HOST:PORT,…] [--dry-run]
Sends dead letters in again, each once, as new records of the topics that they came from.`;

/** Where the records come from; dead letters go back into the live log. */
export type ReplaySource =
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "lake"; readonly dir: string }
  | {
      readonly kind: "dead-letter";
      readonly code: string | undefined;
      readonly brokers: string | undefined;
      readonly dryRun: boolean;
    };

export interface ReplayOptions {
  readonly source: ReplaySource;
  readonly flush: boolean;
  readonly semantics: Semantics;
  /** Folder or S3 prefix of the models that the log's control records name; without it they are refused. */
  readonly models: string | undefined;
}

/** Options of `--from-dead-letter`. */
const DEAD_LETTER_OPTIONS = {
  "from-dead-letter": "boolean",
  code: "string",
  brokers: "string",
  "dry-run": "boolean",
} as const;

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseReplayArguments(args: readonly string[]): ReplayOptions {
  const names = Object.keys(SEMANTICS_OPTIONS) as (keyof typeof SEMANTICS_OPTIONS)[];
  const { values, tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: {
      input: { type: "string" },
      "from-lake": { type: "string" },
      ...Object.fromEntries(Object.entries(DEAD_LETTER_OPTIONS).map(([name, type]) => [name, { type }])),
      models: { type: "string" },
      flush: { type: "boolean" },
      watermark: { type: "string" },
      transformed: { type: "string" },
      ...Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
    },
  });
  const known = new Set([
    "input",
    "from-lake",
    ...Object.keys(DEAD_LETTER_OPTIONS),
    "models",
    "flush",
    "watermark",
    "transformed",
    ...names,
  ]);
  const problems = tokens.flatMap((token) =>
    token.kind === "positional"
      ? [`${JSON.stringify(token.value)} is no option`]
      : token.kind === "option" && !known.has(token.name)
        ? [`${token.rawName} is no option`]
        : [],
  );
  const semantics: Record<string, number | string> = { ...defaultSemantics };
  for (const name of names) {
    const received = values[name];
    if (received === undefined) continue;
    const milliseconds = typeof received === "string" && /^\d+$/.test(received) ? Number(received) : NaN;
    const least =
      name === "lateness" || name === "out-of-orderness" || name === "future-guard" || name === "tombstone" ? 0 : 1;
    if (!(milliseconds >= least))
      problems.push(`--${name} is ${JSON.stringify(received)}; whole milliseconds of at least ${least} are expected`);
    semantics[SEMANTICS_OPTIONS[name]] = milliseconds;
  }
  // A window that was set alone is a tumbling one.
  if (values["window"] !== undefined && values["slide"] === undefined) semantics["slideMs"] = semantics["windowMs"]!;
  for (const [name, field, allowed] of [
    ["watermark", "watermark", ["sensor", "partition"]],
    ["transformed", "transformedFormat", ["packed", "json"]],
  ] as const) {
    const received = values[name];
    if (received === undefined) continue;
    if (typeof received === "string" && (allowed as readonly string[]).includes(received)) semantics[field] = received;
    else problems.push(`--${name} is ${JSON.stringify(received)}; expected is ${allowed.join(" or ")}`);
  }
  const source = sourceOf(values, problems);
  // A guard that nobody set refuses no lateness: what a device of now could do to a watermark is past in a file.
  const judged =
    values["future-guard"] === undefined
      ? {
          ...semantics,
          futureGuardMs: Math.min(Number(semantics["futureGuardMs"]), Number(semantics["allowedLatenessMs"]) - 1),
        }
      : semantics;
  if (problems.length === 0) problems.push(...semanticsProblems(judged as unknown as Semantics));
  if (problems.length > 0)
    throw new MillraceError("arguments-invalid", `${problems.map((problem) => `- ${problem}`).join("\n")}\n${USAGE}`);
  return {
    source: source!,
    flush: values["flush"] === true,
    semantics: semantics as unknown as Semantics,
    models: typeof values["models"] === "string" ? values["models"] : undefined,
  };
}

function sourceOf(values: Readonly<Record<string, unknown>>, problems: string[]): ReplaySource | null {
  const given = ["input", "from-lake", "from-dead-letter"].filter((name) => values[name] !== undefined);
  if (given.length !== 1)
    problems.push(
      `exactly one of --input FILE, --from-lake DIR and --from-dead-letter is expected; received ${given.length === 0 ? "none" : given.map((name) => `--${name}`).join(" and ")}`,
    );
  const { input, "from-lake": dir, "from-dead-letter": deadLetter, code, brokers, "dry-run": dryRun } = values;
  for (const [name, value] of Object.entries({ input, "from-lake": dir, code, brokers }))
    if (value !== undefined && (typeof value !== "string" || value === "")) problems.push(`--${name} lacks its value`);
  if (deadLetter === undefined) {
    for (const [name, value] of Object.entries({ code, brokers, "dry-run": dryRun }))
      if (value !== undefined) problems.push(`--${name} belongs to --from-dead-letter`);
    return typeof input === "string"
      ? { kind: "file", file: input }
      : typeof dir === "string"
        ? { kind: "lake", dir }
        : null;
  }
  if (typeof code === "string" && !(code in deadLetterCodes))
    problems.push(`--code is ${JSON.stringify(code)}; known are ${Object.keys(deadLetterCodes).join(", ")}`);
  return {
    kind: "dead-letter",
    code: code as string | undefined,
    brokers: brokers as string | undefined,
    dryRun: dryRun === true,
  };
}
