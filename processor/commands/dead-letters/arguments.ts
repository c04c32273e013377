import {
  choice,
  flag,
  instant,
  parseCommandLine,
  text,
  whole,
  type OptionValues,
} from "../../../adapters/command-line.ts";
import { deadLetterCodes, type DeadLetterCode } from "../../../domain/errors.ts";
import type { LetterFilter } from "./letters.ts";

const USAGE = `npm run dead-letters -- COMMAND [OPTION …] [--brokers HOST:PORT,…]
  list [--limit N] [--json]   the newest letters, newest first (default 50, at most 1,000)
  show ID                     one letter: what it is about, what to do, and the record, verbatim
  send-again ID … | --all [--dry-run]
                              appends letters to the topics that they came from, as new records, each once;
                              filters do instead of --all; --dry-run counts what would be sent
An ID is dead-letter/PARTITION/OFFSET, or the letter's id, such as imu-data-all/3/1234/0.
Filters of list and send-again:
  --code CODE    with this error code
  --sensor ID    of this sensor
  --symbol NAME  of this symbol
  --from TIME    written then or later: epoch ms, 2026-01-31T12:00:00Z, or how long ago: 90s, 15m, 2h, 1d
  --to TIME      written before then`;

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;

const options = {
  code: choice(Object.keys(deadLetterCodes) as DeadLetterCode[]),
  sensor: text,
  symbol: text,
  from: instant,
  to: instant,
  limit: whole(1, MAX_LIMIT),
  json: flag,
  all: flag,
  "dry-run": flag,
  brokers: text,
};
type Values = OptionValues<typeof options>;

/** Options that only some commands take. */
const FILTERS = ["code", "sensor", "symbol", "from", "to"] as const;
const optionsOf: Readonly<Record<string, readonly (keyof Values)[]>> = {
  list: [...FILTERS, "limit", "json"],
  show: [],
  "send-again": [...FILTERS, "all", "dry-run"],
};

export type DeadLettersCommand =
  | { readonly name: "list"; readonly filter: LetterFilter; readonly limit: number; readonly json: boolean }
  | { readonly name: "show"; readonly filter: LetterFilter; readonly id: string }
  | { readonly name: "send-again"; readonly filter: LetterFilter; readonly dryRun: boolean };

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseDeadLettersArguments(args: readonly string[]): {
  readonly command: DeadLettersCommand;
  readonly brokers: string | undefined;
} {
  const { values, positionals } = parseCommandLine(args, {
    usage: USAGE,
    options,
    takesPositionals: true,
    check: problemsOf,
  });
  const [name, ...ids] = positionals;
  const { code, sensor, symbol, from, to, brokers } = values;
  const filter: LetterFilter = { ids, code, sensor, symbol, from, to };
  if (name === "show") return { command: { name, filter, id: ids[0]! }, brokers };
  if (name === "send-again") return { command: { name, filter, dryRun: values["dry-run"] === true }, brokers };
  const limit = values.limit ?? DEFAULT_LIMIT;
  return { command: { name: "list", filter, limit, json: values.json === true }, brokers };
}

function problemsOf(values: Values, [name, ...ids]: readonly string[]): string[] {
  if (name === undefined) return ["a command is missing"];
  const allowed = optionsOf[name];
  if (allowed === undefined) return [`${JSON.stringify(name)} is no command`];
  const given = (Object.keys(values) as (keyof Values)[]).filter((option) => option !== "brokers");
  const problems = given.filter((option) => !allowed.includes(option)).map((option) => `${name} takes no --${option}`);
  const filters = given.filter((option) => (FILTERS as readonly string[]).includes(option));
  if (name === "list" && ids.length > 0) problems.push(`list takes no arguments; received ${ids.length}`);
  if (name === "show" && ids.length !== 1) problems.push(`show takes one ID; received ${ids.length}`);
  if (name === "send-again") {
    if (ids.length === 0 && filters.length === 0 && !values.all)
      problems.push("send-again takes IDs, filters, or --all for all letters that were not sent again yet");
    if (ids.length > 0 && (filters.length > 0 || values.all))
      problems.push("send-again takes either IDs, or filters and --all");
  }
  return problems;
}
