/** `npm run smoke`: checks a deployed environment from outside, as its devices and users see it. */
import { randomUUID } from "node:crypto";
import { choice, parseCommandLine, text } from "../adapters/command-line.ts";
import { runCommand } from "../adapters/run-command.ts";
import { environment, environmentNames } from "../config/environments/index.ts";
import { checkFeatures, checkHealth, checkLive, checkSession, checkTransactions } from "../lib/smoke/checks.ts";
import { type Deployment, findDeployment } from "../lib/smoke/deployment.ts";
import { checkMarket } from "../lib/smoke/market.ts";
import { notTried, smokeTable, type SmokeRow } from "../lib/smoke/table.ts";
import { signsInItself, smokeUserOf } from "../lib/smoke/user.ts";

const USAGE = `npm run smoke -- --env ${environmentNames.join("|")} [--token JWT]
Publishes a second of readings, waits for them over WebSocket and REST, looks for their features, puts a trade on the
event bus and waits for its position where the market runs, and tries a Kafka transaction. At the end a table says what
holds, what failed, and what was not tried.
--token is needed where the config names an issuer; of a user pool without a second factor the test makes a user of its
own, and removes it. The exit code is 1 when a check fails.`;

await runCommand(async (args) => {
  const { env, token } = readArguments(args);
  const config = environment(env);
  const user = token === undefined && signsInItself(config) ? await smokeUserOf(config) : undefined;
  try {
    await tryDeployment(await findDeployment(config, token ?? user?.token));
  } finally {
    await user?.remove();
  }
});

/** Runs the checks, and says what holds. */
async function tryDeployment(deployment: Deployment): Promise<void> {
  const sensorId = `smoke-${randomUUID()}`;
  const rows = [
    await check("REST /health", () => checkHealth(deployment)),
    await check("MQTT publish → WebSocket", () => checkLive(deployment, sensorId)),
    await check("session over REST", () => checkSession(deployment, sensorId)),
    await check("feature store", () => checkFeatures(deployment, sensorId)),
    ...(deployment.config.processor.market === null
      ? []
      : [await check("PutEvents → position over REST", () => checkMarket(deployment, sensorId))]),
    await check("Kafka transactions", () => checkTransactions(deployment)),
  ];
  process.stdout.write(`\n${smokeTable([...rows, ...notTried])}\n`);
  process.exitCode = rows.every(({ result }) => result === "holds") ? 0 : 1;
}

function readArguments(args: readonly string[]): { env: string; token: string | undefined } {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { env: choice(environmentNames), token: text },
    required: ["env"],
    check: ({ env, token }) => {
      if (env === undefined) return [];
      const config = environment(env);
      const { auth } = config.api;
      return auth !== null && token === undefined && !signsInItself(config)
        ? [`--token is missing: the API of ${env} takes tokens of ${auth.cognito ? "its user pool" : auth.issuer}`]
        : [];
    },
  });
  return { env: values.env, token: values.token };
}

/** Runs one check, and prints a line about it at once. */
async function check(what: string, run: () => Promise<string>): Promise<SmokeRow> {
  const begun = Date.now();
  const row = await run().then(
    (detail): SmokeRow => ({ what, result: "holds", detail }),
    (error: unknown): SmokeRow => ({
      what,
      result: "FAILED",
      detail: error instanceof Error ? error.message : String(error),
    }),
  );
  process.stdout.write(`${row.result} ${what} (${Date.now() - begun} ms): ${row.detail}\n`);
  return row;
}
