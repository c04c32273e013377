import { choice, flag, text, type OptionValues } from "../../../adapters/command-line.ts";
import { deadLetterCodes } from "../../../domain/errors.ts";

/** Where the records come from. Dead letters go back into the live log. */
export type ReplaySource =
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "lake"; readonly dir: string }
  | DeadLetterSource;

export interface DeadLetterSource {
  readonly kind: "dead-letter";
  /** Only letters with this error code. @default all */
  readonly code: string | undefined;
  readonly brokers: string | undefined;
  /** Counts what would be sent, and sends nothing. */
  readonly dryRun: boolean;
}

/** Options of which exactly one is given. */
const SOURCES = ["input", "from-lake", "from-dead-letter"] as const;
/** Options that need `--from-dead-letter`. */
const DEAD_LETTER_OPTIONS = ["code", "brokers", "dry-run"] as const;

export const sourceOptions = {
  input: text,
  "from-lake": text,
  "from-dead-letter": flag,
  code: choice(Object.keys(deadLetterCodes)),
  brokers: text,
  "dry-run": flag,
};
type SourceValues = OptionValues<typeof sourceOptions>;

/** Sources that are missing or contradict one another, as sentences. */
export function sourceProblems(values: SourceValues): string[] {
  const given = SOURCES.filter((name) => values[name] !== undefined);
  const problems: string[] = [];
  if (given.length !== 1) {
    const received = given.length === 0 ? "none" : given.map((name) => `--${name}`).join(" and ");
    problems.push(
      "exactly one of --input FILE, --from-lake DIR and --from-dead-letter is expected; " + `received ${received}`,
    );
  }
  if (values["from-dead-letter"] === undefined) {
    const misplaced = DEAD_LETTER_OPTIONS.filter((name) => values[name] !== undefined);
    problems.push(...misplaced.map((name) => `--${name} belongs to --from-dead-letter`));
  }
  return problems;
}

/** The source that options without problems say. */
export function readSource(values: SourceValues): ReplaySource {
  const { input, "from-lake": dir, code, brokers, "dry-run": dryRun } = values;
  if (input !== undefined) return { kind: "file", file: input };
  if (dir !== undefined) return { kind: "lake", dir };
  return { kind: "dead-letter", code, brokers, dryRun: dryRun === true };
}
