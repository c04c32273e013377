/** `npm run preflight`: what an account lacks before an environment can be deployed. It changes nothing. */
import { choice, flag, parseCommandLine } from "../adapters/command-line.ts";
import { runCommand } from "../adapters/run-command.ts";
import { environment, environmentNames, wellFormed } from "../config/environments/index.ts";
import { synthesisedResources } from "../lib/cost/synthesised.ts";
import { whatStays } from "../lib/preflight/destroy.ts";
import { readFacts } from "../lib/preflight/facts.ts";
import { missing, toLookAt } from "../lib/preflight/preflight.ts";

const USAGE = `npm run preflight -- --env ${environmentNames.join("|")} [--destroy]
Reads what the account has in the environment's region, and says what is missing before anything is created.
The exit code is 1 when something is, or could not be read.
With --destroy it reads no account, and says what would stay when the environment's stacks are deleted, and why.`;

await runCommand(async (args) => {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { env: choice(environmentNames), destroy: flag },
    required: ["env"],
  });
  const config = environment(values.env);
  if (values.destroy) {
    for (const sentence of whatStays(config, synthesisedResources(config))) process.stdout.write(`STAYS ${sentence}\n`);
    return;
  }
  const { facts, unread } = await readFacts(config);
  const found = missing(config, synthesisedResources(config), facts, wellFormed());
  for (const sentence of found) process.stdout.write(`MISSING ${sentence}\n`);
  for (const sentence of unread) process.stdout.write(`UNREAD  ${sentence}\n`);
  for (const sentence of toLookAt(config)) process.stdout.write(`look at ${sentence}\n`);
  if (found.length === 0 && unread.length === 0) process.stdout.write("nothing is missing of what was read\n");
  process.exitCode = found.length === 0 && unread.length === 0 ? 0 : 1;
});
