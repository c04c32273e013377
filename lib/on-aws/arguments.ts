import { choice, parseCommandLine, pipelineOption, whole } from "../../adapters/command-line.ts";
import { operatorCommands, otherCommands, type OperatorCommand } from "../../config/operator-commands.ts";
import { pipelineNames, type PipelineName } from "../../domain/pipelines.ts";
import { MINUTE, type Milliseconds } from "../../domain/time.ts";

const usage = (environments: readonly string[]): string =>
  `npm run on-aws -- --env ${environments.join("|")} [OPTION …] COMMAND [ARGUMENT …]
Runs an operator's command in an environment's VPC, as an ECS task with a role of its own, prints its output and exits
with its exit code. Credentials are those of the AWS CLI.
  COMMAND           ${operatorCommands.join(", ")}; what follows are its own arguments
  --pipeline NAME   whose log and tasks it is about (default ${pipelineNames[0]})
  --minutes N       stops the task after so long (default 60, at most 1440)`;

const DEFAULT_MINUTES = 60;

export interface OnAwsArguments<E extends string> {
  readonly env: E;
  readonly pipeline: PipelineName;
  readonly limitMs: Milliseconds;
  readonly command: OperatorCommand;
  /** The command's own. */
  readonly args: readonly string[];
}

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseOnAwsArguments<E extends string>(
  args: readonly string[],
  environments: readonly E[],
): OnAwsArguments<E> {
  const at = commandAt(args);
  const USAGE = usage(environments);
  const { values } = parseCommandLine(args.slice(0, at), {
    usage: USAGE,
    options: { env: choice(environments), pipeline: pipelineOption, minutes: whole(1, 1_440) },
    required: ["env"],
    check: () => commandProblems(args[at]),
  });
  return {
    env: values.env,
    pipeline: values.pipeline ?? pipelineNames[0]!,
    limitMs: (values.minutes ?? DEFAULT_MINUTES) * MINUTE,
    command: args[at] as OperatorCommand,
    args: args.slice(at + 1),
  };
}

/** Where the command stands: behind the options, which have a value each. */
function commandAt(args: readonly string[]): number {
  let at = 0;
  while (args[at]?.startsWith("--")) at += args[at]!.includes("=") || args[at] === "--help" ? 1 : 2;
  return Math.min(at, args.length);
}

function commandProblems(command: string | undefined): string[] {
  if (command === undefined) return ["a command is missing"];
  if ((operatorCommands as readonly string[]).includes(command)) return [];
  const instead = Object.hasOwn(otherCommands, command) ? `: ${otherCommands[command]}` : "";
  return [`${JSON.stringify(command)} is no command that runs on AWS${instead}`];
}
