import { join } from "node:path";
import type { Environment } from "../../config/schema.ts";
import { MillraceError } from "../../domain/errors.ts";
import { UNKNOWN_VERSION } from "../names.ts";

/** Runs a program in a folder and gives its exit code. */
export type Run = (command: string, args: readonly string[], folder: string) => Promise<number>;

export interface Delivery {
  readonly config: Environment;
  /** Folder of the project. */
  readonly folder: string;
  /** The commit that is delivered. */
  readonly version: string;
  /** The commit that is deployed, or `unknown`; undefined where nothing is. */
  readonly deployed: string | undefined;
  /** JWT for the smoke test, where the API takes tokens. */
  readonly token: string | undefined;
  readonly run: Run;
  readonly say: (sentence: string) => void;
}

/** Folder of the templates and assets that are compared, and then deployed as they are. */
const ASSEMBLY = "cdk.out";

/** Context of the CDK for a version that is deployed from its sources. */
function contextOf({ config }: Delivery, version: string): string[] {
  return ["-c", `env=${config.name}`, "-c", `version=${version}`];
}

/**
 * Synthesises, and shows what a deployment would change. It reads the templates in force with the bootstrap's role that
 * looks up; a change set would take the role that deploys.
 *
 * @throws MillraceError `delivery-failed` when a step fails
 */
export async function compare(delivery: Delivery): Promise<void> {
  await must(delivery, "npx", ["cdk", "synth", "--quiet", ...contextOf(delivery, delivery.version), "-o", ASSEMBLY]);
  await must(delivery, "npx", ["cdk", "diff", "--app", ASSEMBLY, "--all", "--method", "template"]);
}

/**
 * Deploys what was compared and tries it. Where that fails, the version before is deployed again, from its own sources,
 * and tried.
 *
 * @throws MillraceError `delivery-failed`, with what is deployed now
 */
export async function deploy(delivery: Delivery): Promise<void> {
  try {
    await must(delivery, "npx", ["cdk", "deploy", "--app", ASSEMBLY, "--all", "--require-approval", "never"]);
    await smoke(delivery, delivery.folder);
  } catch (error) {
    await rollBack(delivery, error);
  }
}

async function rollBack(delivery: Delivery, cause: unknown): Promise<never> {
  const { folder, version, deployed, say } = delivery;
  const why = cause instanceof Error ? cause.message : String(cause);
  if (deployed === undefined || deployed === UNKNOWN_VERSION || deployed === version)
    throw new MillraceError("delivery-failed", `${why}; no version before ${version} is known: nothing is rolled back`);
  say(`${why}; back to ${deployed}`);
  const before = join(folder, ".millrace", "version-before");
  await delivery.run("git", ["worktree", "remove", "--force", before], folder);
  try {
    await must(delivery, "git", ["worktree", "add", "--force", "--detach", before, deployed]);
    await must(delivery, "npm", ["ci"], before);
    const context = contextOf(delivery, deployed);
    await must(delivery, "npx", ["cdk", "deploy", ...context, "--all", "--require-approval", "never"], before);
    await smoke(delivery, before);
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new MillraceError("delivery-failed", `${why}; the way back to ${deployed} failed, too: ${found}`);
  }
  throw new MillraceError("delivery-failed", `${why}; ${deployed} is deployed again, and works`);
}

/**
 * In an account that has nothing of the environment: preflight, deployment, smoke test, and whatever they say,
 * everything is deleted again.
 *
 * @throws MillraceError `delivery-failed` when a step fails, or when the environment is there or would be kept
 */
export async function rehearse(delivery: Delivery): Promise<void> {
  const { config, version, deployed } = delivery;
  if (config.retainData)
    throw new MillraceError("delivery-failed", `${config.name} keeps its data when it is deleted: rehearse another`);
  if (deployed !== undefined)
    throw new MillraceError(
      "delivery-failed",
      `this account has ${config.name}, in version ${deployed}: a rehearsal would delete it; take an empty account`,
    );
  await must(delivery, "npm", ["run", "preflight", "--", "--env", config.name]);
  const context = contextOf(delivery, version);
  let failure: unknown;
  try {
    await must(delivery, "npx", ["cdk", "deploy", ...context, "--all", "--require-approval", "never"]);
    await smoke(delivery, delivery.folder);
  } catch (error) {
    failure = error;
  }
  await must(delivery, "npx", ["cdk", "destroy", ...context, "--all", "--force"]);
  if (failure !== undefined) throw failure;
}

async function smoke(delivery: Delivery, folder: string): Promise<void> {
  const { config, token } = delivery;
  const tokenArguments = token === undefined ? [] : ["--token", token];
  await must(delivery, "npm", ["run", "smoke", "--", "--env", config.name, ...tokenArguments], folder);
}

async function must({ folder, run }: Delivery, command: string, args: readonly string[], at = folder): Promise<void> {
  const code = await run(command, args, at);
  const [program = "", step = ""] = args;
  if (code !== 0)
    throw new MillraceError("delivery-failed", `${command} ${program} ${step} ended with ${code}`.replace(" -- ", " "));
}
