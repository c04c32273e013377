import { inspect } from "node:util";
import { MillraceError } from "../domain/errors.ts";
import { HelpRequested } from "./command-line.ts";

/**
 * Runs a command: hands it the arguments behind the file's name and says on stderr why it fails.
 *
 * - A `MillraceError` is printed as `code: message`, any other error with its stack and its causes; the exit code is 1.
 * - `--help` prints the usage on stdout; the exit code is 0.
 * - A reader that closes stdout early (`| head`) ends the command with exit code 0.
 *
 * The promise never rejects. Call it last in its file, as `await runCommand(main)`.
 */
export async function runCommand(main: (args: readonly string[]) => void | Promise<void>): Promise<void> {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    if (error instanceof HelpRequested) {
      process.stdout.write(`${error.message}\n`);
      return;
    }
    process.stderr.write(`${errorText(error)}\n`);
    process.exitCode = 1;
  }
}

function errorText(error: unknown): string {
  if (error instanceof MillraceError) return `${error.code}: ${error.message}`;
  return inspect(error);
}

/** Writes to stdout and waits while its buffer is full, so that a large output is never kept in memory. */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once("drain", resolve));
}
