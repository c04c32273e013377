/**
 * The commands of an operator that `npm run on-aws` runs in the VPC, as a task of the processor's image. Each is
 * `processor/commands/<name>/main.ts`, and a script of package.json under the same name.
 */
export const operatorCommands = [
  "dead-letters",
  "trace",
  "inspect",
  "dump",
  "recover",
  "rescale",
  "settings",
  "model",
  "reference",
  "replay",
  "restore",
  "backfill",
  "erase",
  "compact",
] as const;
export type OperatorCommand = (typeof operatorCommands)[number];

/** Commands that do not run there, with what to do instead. */
export const otherCommands: Readonly<Record<string, string>> = {
  "restore-drill": "it runs a platform of its own on one machine: docs/restore.md has the drill's steps on AWS",
};

/** Name of the task that runs them, after the environment's; its log streams begin with it. */
export const OPS_TASK = "ops";
/** Name of its container, which the command and its variables are given to. */
export const OPS_CONTAINER = "processor";

/** What the image's start-up takes for a command: `PROGRAM` is the folder of the `main.ts` that it runs. */
export function programOf(command: OperatorCommand): string {
  return `processor/commands/${command}`;
}
