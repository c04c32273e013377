import { flag, invalidArguments, parseCommandLine, text, type Option } from "../../../adapters/command-line.ts";
import { isPipelineName, pipelineNames, type PipelineName } from "../../../domain/pipelines.ts";
import { semanticsOf, semanticsProblems, semanticsSettings, type Semantics } from "../../../domain/semantics.ts";
import { readSemantics, semanticsOptions } from "./semantics-options.ts";
import { readSource, sourceOptions, sourceProblems, type ReplaySource } from "./source-options.ts";

const USAGE = `npm run replay -- --input FILE | --from-lake DIR [OPTION …]
Runs a pipeline over a file of Kafka records (NDJSON, as \`npm run dump\` writes it), or over the raw table of a lake,
and writes its outputs as NDJSON.
  --flush          ends time behind the last record: what is open fires
  --pipeline NAME  default: PIPELINE
  --models FOLDER  folder or s3:// prefix of the models that the log's control records name
These hold whatever the log's settings records say:
${semanticsSettings.map(([, { option, doc }]) => `  --${option.padEnd(16)} ${doc}`).join("\n")}`;

const pipelineOption: Option<PipelineName> = {
  isFlag: false,
  read: (received) => (isPipelineName(received) ? received : undefined),
  expected: `there is no such pipeline; there are: ${pipelineNames.join(", ")}`,
};

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
  const problems = semanticsProblems(judgedSemantics(semanticsOf(override), values["future-guard"] !== undefined));
  if (problems.length > 0) throw invalidArguments(problems, USAGE);
  return {
    source: readSource(values),
    flush: values.flush === true,
    pipeline: values.pipeline,
    override,
    models: values.models,
  };
}

/**
 * A guard that nobody set does not restrict the lateness: the guard protects a watermark from a device's wrong clock,
 * and in a file that has already happened or not.
 */
function judgedSemantics(semantics: Semantics, hasOwnGuard: boolean): Semantics {
  const { futureGuardMs, allowedLatenessMs } = semantics;
  return hasOwnGuard ? semantics : { ...semantics, futureGuardMs: Math.min(futureGuardMs, allowedLatenessMs - 1) };
}
