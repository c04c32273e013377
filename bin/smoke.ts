/** `npm run smoke`: checks a deployed environment from outside, as its devices and users see it. */
import { randomUUID } from "node:crypto";
import { choice, parseCommandLine, text } from "../adapters/command-line.ts";
import { runCommand } from "../adapters/run-command.ts";
import { environment, environmentNames } from "../config/environments/index.ts";
import { checkHealth, checkLive, checkSession, checkTransactions } from "../lib/smoke/checks.ts";
import { type Deployment, findDeployment, takeRoles } from "../lib/smoke/deployment.ts";
import { type Device, publishReadings } from "../lib/smoke/device.ts";
import { checkFeatures, checkOfflineFeatures } from "../lib/smoke/features.ts";
import { checkLake } from "../lib/smoke/lake.ts";
import { checkMarket } from "../lib/smoke/market.ts";
import { checkPromotion } from "../lib/smoke/model.ts";
import { deviceName, provisionDevice, removeDevice } from "../lib/smoke/provisioning.ts";
import { given, rowOf, smokeTable, type SmokeRow } from "../lib/smoke/table.ts";
import { signsInItself, smokeUserOf } from "../lib/smoke/user.ts";

const USAGE = `npm run smoke -- --env ${environmentNames.join("|")} [--token JWT]
Lets a device provision itself, promotes by on-aws the model that is promoted already, publishes a second of readings
as the device, waits for them over WebSocket and REST, looks for their features, puts a trade on the event bus and waits
for its position where the market runs, tries a Kafka transaction, waits for the readings in the lake and for their
features in the offline store (up to 20 minutes), and takes the device away again. At the end a table says what holds,
what failed, and what was not tried.
The caller may take the roles smoke, on-call and analyst of the environment, by sts:AssumeRole.
--token is needed where the config names an issuer; of a user pool without a second factor the test makes a user of its
own, and removes it. The exit code is 1 when a check fails.`;

await runCommand(async (args) => {
  const { env, token } = readArguments(args);
  const config = environment(env);
  const roles = await takeRoles(config);
  const user = token === undefined && signsInItself(config) ? await smokeUserOf(config, roles) : undefined;
  try {
    await tryDeployment(await findDeployment(config, roles, token ?? user?.token));
  } finally {
    await user?.remove();
  }
});

// A device that was refused would keep the process alive.
process.stdout.write("", () => process.exit());

/** Runs the checks, and says what holds. */
async function tryDeployment(deployment: Deployment): Promise<void> {
  const rows: SmokeRow[] = [];
  const check = async (what: string, run: () => Promise<string>): Promise<void> => void rows.push(await say(what, run));
  const id = deviceName(randomUUID());
  let device: Device | undefined;
  let publishedMs: number | undefined;
  await check("REST /health", () => checkHealth(deployment));
  try {
    await check("a device provisions itself", async () => {
      device = await provisionDevice(deployment, id);
      return `${id} has a certificate and its thing`;
    });
    // Before the readings: they show whether the processor has gone on past the control records.
    await check("a model's promotion by on-aws", () => checkPromotion(deployment));
    await check("MQTT publish → WebSocket", async () => {
      const publisher = given(device, "no device has provisioned itself");
      return await checkLive(deployment, id, async () => (publishedMs = await publishReadings(deployment, publisher)));
    });
    const published = (): number => given(publishedMs, "no readings were published");
    await check("session over REST", async () => {
      published();
      return await checkSession(deployment, id);
    });
    await check("feature store online", async () => {
      published();
      return await checkFeatures(deployment, id);
    });
    if (deployment.config.processor.market !== null)
      await check("PutEvents → position over REST", () => checkMarket(deployment, id));
    await check("Kafka transactions", () => checkTransactions(deployment));
    await check("the lake, by Athena", async () => checkLake(deployment, id, published()));
    await check("feature store offline", async () => checkOfflineFeatures(deployment, id, published()));
  } finally {
    await check("the device is taken away", async () => {
      await removeDevice(deployment, id);
      return "thing, certificate and registration are deleted";
    });
  }
  process.stdout.write(`\n${smokeTable(rows)}\n`);
  process.exitCode = rows.some(({ result }) => result === "FAILED") ? 1 : 0;
}

/** Runs one check, and prints a line about it at once. */
async function say(what: string, run: () => Promise<string>): Promise<SmokeRow> {
  const begun = Date.now();
  const row = await rowOf(what, run);
  process.stdout.write(`${row.result} ${what} (${Date.now() - begun} ms): ${row.detail}\n`);
  return row;
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
