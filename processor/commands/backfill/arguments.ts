import { flag, instant, invalidArguments, parseCommandLine, text, whole } from "../../../adapters/command-line.ts";
import type { Option } from "../../../adapters/command-line.ts";
import type { PipelineName } from "../../../domain/pipelines.ts";
import type { Semantics } from "../../../domain/semantics.ts";
import { MINUTE, type EpochMs } from "../../../domain/time.ts";
import { pipelineOption } from "../replay/arguments.ts";
import { overrideProblems, readSemantics, semanticsOptions, semanticsUsage } from "../replay/semantics-options.ts";

const DEFAULT_FOLDER = ".millrace/backfill";
/** What the live lake may hold back: Firehose's buffer is 5 minutes at most, and functions may be behind. */
const DEFAULT_UNTIL_AGE = 15 * MINUTE;
const DEFAULT_EXAMPLES = 5;
const MAX_EXAMPLES = 1_000;
const RUN_NAME = /^[a-z0-9][a-z0-9-]{0,39}$/;

const USAGE = `npm run backfill -- --from-lake DIR --run NAME [OPTION …]
Computes the outputs of a lake's log with this version's code and other settings, into a folder of their own, and
compares them by record id with what the lake has. Nothing live is touched. Exit code: 0 all equal, 3 differences.
  --from-lake DIR  folder of a lake, or a copy of the bucket
  --run NAME       name of the run: its outputs become a lake of their own, in the folder NAME
  --out DIR        where the run's folder is made (${DEFAULT_FOLDER})
  --again          replaces the folder of a run of this name
  --partition P,…  only these partitions of the log
  --until TIME     records from then on are not compared: the lake may not have their outputs yet (15m)
  --examples N     differences that are listed per table and kind, at most (${DEFAULT_EXAMPLES})
  --pipeline NAME  default: PIPELINE
  --models FOLDER  folder or s3:// prefix of the models that the log's control records name
These hold whatever the log's settings records say:
${semanticsUsage}`;

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

export interface BackfillArguments {
  /** Folder of the lake. */
  readonly dir: string;
  readonly run: string;
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
}

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseBackfillArguments(args: readonly string[], now: EpochMs): BackfillArguments {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: {
      "from-lake": text,
      run: runName,
      out: text,
      again: flag,
      partition: partitionList,
      until: instant,
      examples: whole(0, MAX_EXAMPLES),
      pipeline: pipelineOption,
      models: text,
      ...semanticsOptions,
    },
    required: ["from-lake", "run"],
  });
  const override = readSemantics(values);
  const problems = overrideProblems(override);
  if (problems.length > 0) throw invalidArguments(problems, USAGE);
  return {
    dir: values["from-lake"],
    run: values.run,
    out: values.out ?? DEFAULT_FOLDER,
    again: values.again === true,
    partitions: values.partition ?? null,
    until: values.until ?? now - DEFAULT_UNTIL_AGE,
    examples: values.examples ?? DEFAULT_EXAMPLES,
    pipeline: values.pipeline,
    override,
    models: values.models,
  };
}
