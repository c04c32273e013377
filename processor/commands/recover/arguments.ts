import { choice, connectionOptions, flag, parseCommandLine, text } from "../../../adapters/command-line.ts";
import { recoveryChoices, type RecoveryChoice } from "../../engine/recovery-choices.ts";

const USAGE = `npm run recover -- [--task TASK] [--choice CHOICE | --catch-up] [--brokers HOST:PORT,…] [--dynamodb URL]
Says of each task (or of one) how far it is, what stops it and what can be done about it.
Changes nothing without --choice or --catch-up. PIPELINE says which pipeline's tasks they are.

--catch-up is for the version before an upgrade: of each task (or of one) that this version committed last, it brings
the snapshot to that commit, so that another version can begin there. It fences nobody, and may be given again. A
processor that runs such a task starts it again.

Choices need --task. A processor that runs the task is fenced, and starts the task again afterwards.
${Object.entries(recoveryChoices)
  .map(([name, meaning]) => `  ${name.padEnd(16)} ${meaning}`)
  .join("\n")}`;

export interface RecoverArguments {
  readonly task: string | undefined;
  readonly choice: RecoveryChoice | undefined;
  readonly catchUp: boolean;
  readonly brokers: string | undefined;
  readonly dynamodb: string | undefined;
}

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseRecoverArguments(args: readonly string[]): RecoverArguments {
  const names = Object.keys(recoveryChoices) as RecoveryChoice[];
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { task: text, choice: choice(names), "catch-up": flag, ...connectionOptions },
    check: (given) => [
      ...(given.choice !== undefined && given.task === undefined
        ? ["--choice needs --task: choices are made for one task at a time"]
        : []),
      ...(given.choice !== undefined && given["catch-up"] ? ["--choice and --catch-up exclude each other"] : []),
    ],
  });
  const { task, choice: chosen, brokers, dynamodb } = values;
  return { task, choice: chosen, catchUp: values["catch-up"] === true, brokers, dynamodb };
}
