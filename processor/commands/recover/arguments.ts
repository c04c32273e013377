import { parseArgs } from "node:util";
import { MillraceError } from "../../../domain/errors.ts";
import { recoveryChoices, type RecoveryChoice } from "../../engine/recovery-choices.ts";

const USAGE = `npm run recover -- [--task TASK] [--choice CHOICE] [--brokers HOST:PORT,…] [--dynamodb URL]
Says of each task (or one) how far it is, what stops it and what can be done about it. Changes nothing without --choice.

Choices (with --task; the running processor's task, if any, is fenced and begins anew afterwards):
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
  let values: { task?: string; choice?: string; brokers?: string; dynamodb?: string };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        task: { type: "string" },
        choice: { type: "string" },
        brokers: { type: "string" },
        dynamodb: { type: "string" },
      },
    }));
  } catch (cause) {
    throw new MillraceError("arguments-invalid", `${(cause as Error).message}\n${USAGE}`, { cause });
  }
  const problems: string[] = [];
  if (values.choice !== undefined && !(values.choice in recoveryChoices))
    problems.push(
      `--choice is ${JSON.stringify(values.choice)}; expected is one of ${Object.keys(recoveryChoices).join(", ")}`,
    );
  if (values.choice !== undefined && values.task === undefined)
    problems.push("--choice needs --task: choices are made for one task at a time");
  if (problems.length > 0) throw new MillraceError("arguments-invalid", `${problems.join("\n")}\n${USAGE}`);
  return {
    task: values.task,
    choice: values.choice as RecoveryChoice | undefined,
    brokers: values.brokers,
    dynamodb: values.dynamodb,
  };
}
