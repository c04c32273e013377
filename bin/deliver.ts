/** `npm run deliver`: a version to an environment, step by step, and back where it does not work. */
import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline/promises";
import { choice, flag, parseCommandLine, text } from "../adapters/command-line.ts";
import { runCommand } from "../adapters/run-command.ts";
import { environment, environmentNames } from "../config/environments/index.ts";
import { root } from "../lib/bundles.ts";
import { compare, deploy, rehearse, type Delivery, type Run } from "../lib/delivery/deliver.ts";
import { deployedVersion } from "../lib/smoke/deployment.ts";

const USAGE = `npm run deliver -- --env ${environmentNames.join("|")} [--compare | --yes] [--token JWT]
npm run deliver -- --env ${environmentNames.join("|")} --rehearse [--token JWT]
Synthesises, shows what would change, asks, deploys, and tries it. Where that fails, the version before is deployed
again.
--compare ends after showing; --yes does not ask: somebody has agreed to it elsewhere.
--rehearse deploys to an account without the environment, tries it, and deletes everything again, also after a failure.
--token is for the smoke test where the config names an issuer. The exit code is 1 when a step fails.`;

const run: Run = (command, args, folder) =>
  new Promise((done, reject) => {
    const child = spawn(command, args, { cwd: folder, stdio: "inherit" });
    child.once("error", reject);
    child.once("close", (code) => done(code ?? 1));
  });

await runCommand(async (args) => {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { env: choice(environmentNames), compare: flag, yes: flag, rehearse: flag, token: text },
    required: ["env"],
  });
  const config = environment(values.env);
  const delivery: Delivery = {
    config,
    folder: root,
    version: spawnSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" }).stdout.trim(),
    deployed: values.compare ? undefined : await deployedVersion(config),
    token: values.token,
    run,
    say: (sentence) => process.stderr.write(`${sentence}\n`),
  };
  if (values.rehearse) return await rehearse(delivery);
  await compare(delivery);
  if (values.compare) return;
  if (values.yes || (await agreed(`deploy this to ${config.name}?`))) await deploy(delivery);
  else process.stderr.write("nothing is deployed\n");
});

async function agreed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${question} [yes] `);
  terminal.close();
  return answer.trim() === "yes";
}
