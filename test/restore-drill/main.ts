/** `npm run restore-drill`: loses everything but the lake, and rebuilds it. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseCommandLine, whole } from "../../adapters/command-line.ts";
import { runCommand } from "../../adapters/run-command.ts";
import { restoreDrill } from "./run.ts";

const USAGE = `npm run restore-drill -- [--sensors N] [--seconds N]
Runs a platform of its own, in a folder and on ports of its own; takes readings; deletes everything but the lake;
rebuilds it with \`npm start -- --restore\`; compares state, outputs, documents and features with what was there before;
takes readings again in the next generation of the log, and counts both. No other platform's data are touched.
  --sensors N   simulated sensors (10)
  --seconds N   how long they publish, before the loss and again behind it (20)
The result is one line of JSON. Exit code 1 when anything is not equal, lost or double; the data are then kept.`;

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { sensors: whole(1, 1_000), seconds: whole(5, 3_600) },
  });
  const home = join(import.meta.dirname, "..", "..", ".millrace", `restore-drill-${process.pid}`);
  mkdirSync(home, { recursive: true });
  // The platform has a session of its own, which a terminal's Ctrl-C does not reach.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  const { ok, differences, ...result } = await restoreDrill({
    home,
    sensors: values.sensors ?? 10,
    seconds: values.seconds ?? 20,
    onProgress: (message) => console.error(message),
  });
  console.log(JSON.stringify({ ok, ...result, differences: differences.slice(0, 20) }));
  if (ok) rmSync(home, { recursive: true });
  else {
    console.error(`the data are kept in ${home}`);
    process.exitCode = 1;
  }
}

await runCommand(main);
