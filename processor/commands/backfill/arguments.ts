import {
  flag,
  instant,
  invalidArguments,
  parseCommandLine,
  pipelineOption,
  text,
  whole,
  type Option,
  type OptionValues,
} from "../../../adapters/command-line.ts";
import type { PipelineName } from "../../../domain/pipelines.ts";
import type { Semantics } from "../../../domain/semantics.ts";
import { MINUTE, type EpochMs } from "../../../domain/time.ts";
import { overrideProblems, readSemantics, semanticsOptions, semanticsUsage } from "../replay/semantics-options.ts";

const DEFAULT_FOLDER = ".millrace/backfill";
/** What the live lake may hold back: Firehose's buffer is 5 minutes at most, and functions may be behind. */
const DEFAULT_UNTIL_AGE = 15 * MINUTE;
const DEFAULT_EXAMPLES = 5;
const MAX_EXAMPLES = 1_000;
const RUN_NAME = /^[a-z0-9][a-z0-9-]{0,39}$/;

const USAGE = `npm run backfill -- --from-lake DIR --run NAME [OPTION …]
Computes the outputs of a lake's log with this version's code and other settings, into a folder of their own, and
compares them by record id with what the lake has. Exit code: 0 all equal, 3 differences.
  --from-lake DIR  folder of a lake, or the tables in S3 (s3://BUCKET/tables), which are copied to a temporary folder
  --run NAME       name of the run: its outputs become a lake of their own, in the folder NAME
  --fill           fills collections of the run's own in the store, too, beside the live ones
  --out DIR        where the run's folder is made (${DEFAULT_FOLDER})
  --again          replaces the folder and the collections of a run of this name
  --partition P,…  only these partitions of the log
  --until TIME     records from then on are not compared: the lake may not have their outputs yet (15m)
  --examples N     differences that are listed per table and kind, at most (${DEFAULT_EXAMPLES})
  --pipeline NAME  default: PIPELINE
  --models FOLDER  folder or s3:// prefix of the models that the log's control records name
  --brokers HOST:PORT,…
These hold whatever the log's settings records say:
${semanticsUsage}
npm run backfill -- COMMAND
  list [--out DIR]             the runs, by folder and by collections, and which one readers see
  switch --run NAME | live     readers see the run's collections, or the live ones again
  drop --run NAME [--out DIR]  removes the collections and the folder of a run`;

/** What `switch` calls the collections that no run has. */
export const LIVE = "live";

const runName: Option<string> = {
  isFlag: false,
  read: (received) => (RUN_NAME.test(received) ? received : undefined),
  expected: "1 to 40 of a-z 0-9 - are expected, the first no hyphen",
};

const partitionList: Option<readonly number[]> = {
  isFlag: false,
  read: (received) => (/^\d{1,6}(,\d{1,6})*$/.test(received) ? received.split(",").map(Number) : undefined),
  expected: "numbers of partitions are expected, separated by commas",
};

const options = {
  "from-lake": text,
  run: runName,
  fill: flag,
  out: text,
  again: flag,
  partition: partitionList,
  until: instant,
  examples: whole(0, MAX_EXAMPLES),
  pipeline: pipelineOption,
  models: text,
  brokers: text,
  ...semanticsOptions,
};
type Values = OptionValues<typeof options>;

/** Options of the commands; a run, which is no command, takes all. */
const optionsOf: Readonly<Record<string, readonly (keyof Values)[]>> = {
  list: ["out"],
  switch: ["run"],
  drop: ["run", "out"],
};

export interface RunArguments {
  readonly name: "run";
  /** Folder of the lake. */
  readonly dir: string;
  readonly run: string;
  readonly fill: boolean;
  /** Where the folders of runs are. */
  readonly out: string;
  readonly again: boolean;
  /** Null for all. */
  readonly partitions: readonly number[] | null;
  readonly until: EpochMs;
  readonly examples: number;
  /** @default the setting `PIPELINE` */
  readonly pipeline: PipelineName | undefined;
  readonly override: Partial<Semantics>;
  readonly models: string | undefined;
  readonly brokers: string | undefined;
}

export type BackfillCommand =
  | RunArguments
  | { readonly name: "list"; readonly out: string }
  | { readonly name: "switch"; /** A run, or `LIVE`. */ readonly run: string }
  | { readonly name: "drop"; readonly run: string; readonly out: string };

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseBackfillArguments(args: readonly string[], now: EpochMs): BackfillCommand {
  const { values, positionals } = parseCommandLine(args, {
    usage: USAGE,
    options,
    takesPositionals: true,
    check: problemsOf,
  });
  const { run, out = DEFAULT_FOLDER } = values;
  const [name] = positionals;
  if (name === "list") return { name, out };
  if (name === "switch") return { name, run: run! };
  if (name === "drop") return { name, run: run!, out };
  const override = readSemantics(values);
  const problems = overrideProblems(override);
  if (problems.length > 0) throw invalidArguments(problems, USAGE);
  return {
    name: "run",
    dir: values["from-lake"]!,
    run: run!,
    fill: values.fill === true,
    out,
    again: values.again === true,
    partitions: values.partition ?? null,
    until: values.until ?? now - DEFAULT_UNTIL_AGE,
    examples: values.examples ?? DEFAULT_EXAMPLES,
    pipeline: values.pipeline,
    override,
    models: values.models,
    brokers: values.brokers,
  };
}

function problemsOf(values: Values, [name, ...more]: readonly string[]): string[] {
  const given = Object.keys(values) as (keyof Values)[];
  const missing = (needed: readonly (keyof Values)[]): string[] =>
    needed.filter((option) => !given.includes(option)).map((option) => `--${option} is missing`);
  if (name === undefined) {
    const problems = missing(["from-lake", "run"]);
    if (values.run === LIVE) problems.push("--run is live: that is what the live collections are called");
    if (values.fill && values.partition)
      problems.push("--fill takes no --partition: readers would not see the sensors of the others");
    return problems;
  }
  const allowed = optionsOf[name];
  if (allowed === undefined) return [`${JSON.stringify(name)} is no command`];
  const problems = given.filter((option) => !allowed.includes(option)).map((option) => `${name} takes no --${option}`);
  if (more.length > 0) problems.push(`${name} takes no arguments; received ${more.length}`);
  return name === "list" ? problems : [...problems, ...missing(["run"])];
}
