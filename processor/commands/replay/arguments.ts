import { flag, invalidArguments, parseCommandLine, pipelineOption, text } from "../../../adapters/command-line.ts";
import type { PipelineName } from "../../../domain/pipelines.ts";
import type { Semantics } from "../../../domain/semantics.ts";
import { overrideProblems, readSemantics, semanticsOptions, semanticsUsage } from "./semantics-options.ts";
import { readSource, sourceOptions, sourceProblems, type ReplaySource } from "./source-options.ts";

const USAGE = `npm run replay -- --input FILE | --from-lake DIR [OPTION …]
Runs a pipeline over a file of Kafka records (NDJSON, as \`npm run dump\` writes it), or over the raw table of a lake,
and writes its outputs as NDJSON.
  --from-lake DIR  folder of a lake, or the tables in S3 (s3://BUCKET/tables), which are copied to a temporary folder
  --flush          ends time behind the last record: what is open fires
  --pipeline NAME  default: PIPELINE
  --models FOLDER  folder or s3:// prefix of the models that the log's control records name
These hold whatever the log's settings records say:
${semanticsUsage}`;

export interface ReplayOptions {
  readonly source: ReplaySource;
  readonly flush: boolean;
  /** @default the setting `PIPELINE` */
  readonly pipeline: PipelineName | undefined;
  /** The settings that are given: they hold whatever the log says. */
  readonly override: Partial<Semantics>;
  /** Folder or S3 prefix of the models that the log's control records name; without it they are refused. */
  readonly models: string | undefined;
}

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseReplayArguments(args: readonly string[]): ReplayOptions {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { ...sourceOptions, ...semanticsOptions, flush: flag, pipeline: pipelineOption, models: text },
    check: sourceProblems,
  });
  const override = readSemantics(values);
  const problems = overrideProblems(override);
  if (problems.length > 0) throw invalidArguments(problems, USAGE);
  return {
    source: readSource(values),
    flush: values.flush === true,
    pipeline: values.pipeline,
    override,
    models: values.models,
  };
}
