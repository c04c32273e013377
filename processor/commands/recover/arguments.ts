import { choice, connectionOptions, parseCommandLine, text } from "../../../adapters/command-line.ts";
import { recoveryChoices, type RecoveryChoice } from "../../engine/recovery-choices.ts";

const USAGE = `npm run recover -- [--task TASK] [--choice CHOICE] [--brokers HOST:PORT,…] [--dynamodb URL]
Says of each task (or of one) how far it is, what stops it and what can be done about it.
Changes nothing without --choice. PIPELINE says which pipeline's tasks they are.

Choices need --task. A processor that runs the task is fenced, and starts the task again afterwards.
${Object.entries(recoveryChoices)
  .map(([name, meaning]) => `  ${name.padEnd(16)} ${meaning}`)
  .join("\n")}`;

export interface RecoverArguments {
  readonly task: string | undefined;
  readonly choice: RecoveryChoice | undefined;
  readonly brokers: string | undefined;
  readonly dynamodb: string | undefined;
}

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseRecoverArguments(args: readonly string[]): RecoverArguments {
  const names = Object.keys(recoveryChoices) as RecoveryChoice[];
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { task: text, choice: choice(names), ...connectionOptions },
    check: (given) =>
      given.choice !== undefined && given.task === undefined
        ? ["--choice needs --task: choices are made for one task at a time"]
        : [],
  });
  return { task: values.task, choice: values.choice, brokers: values.brokers, dynamodb: values.dynamodb };
}
