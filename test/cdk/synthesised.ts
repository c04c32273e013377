import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";

export const root = join(import.meta.dirname, "../..");
export const environments = ["dev", "staging", "prod"] as const;
export type EnvironmentName = (typeof environments)[number];
/** What is synthesised beside the environments: configs that no file has. Each has an app of its own. */
const variants = {
  "market-prod": "test/cdk/prod-with-market.ts",
  "operators-dev": "test/cdk/dev-with-operators.ts",
  rehearsal: "test/cdk/dev-rehearsal.ts",
  "staging-elsewhere": "test/cdk/staging-elsewhere.ts",
} as const;
export type SynthName = EnvironmentName | keyof typeof variants;

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
  readonly DependsOn?: string | readonly string[];
  readonly Metadata?: unknown;
}
export interface Template {
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs?: Readonly<Record<string, { readonly Value: unknown; readonly Export?: { readonly Name: string } }>>;
}
export interface Synthesised {
  readonly folder: string;
  readonly templates: Readonly<Record<string, Template>>;
  /** The stacks' artifacts of the cloud assembly: names, protection, dependencies. */
  readonly stacks: Readonly<
    Record<
      string,
      {
        readonly stackName: string;
        readonly terminationProtection: boolean;
        readonly dependencies: readonly string[];
        readonly tags: Readonly<Record<string, string>>;
      }
    >
  >;
}

/** What a synth reads. A change of any of it makes a new synth. */
const inputs = [
  "adapters",
  "bin",
  "bridge",
  "config",
  "dashboard",
  "domain",
  "lambda",
  "lib",
  "live",
  "local/lake",
  "ops",
  "processor",
  "test/cdk/prod-with-market.ts",
  "test/cdk/dev-rehearsal.ts",
  "test/cdk/dev-with-operators.ts",
  "test/cdk/staging-elsewhere.ts",
  ".dockerignore",
  "Dockerfile",
  "cdk.json",
  "package-lock.json",
  "package.json",
];

/** How long a test waits for another one that makes the same synth. */
const LIMIT_MS = 240_000;

function filesOf(path: string): string[] {
  if (!existsSync(path)) return [];
  return statSync(path).isDirectory()
    ? readdirSync(path)
        .sort()
        .flatMap((name) => filesOf(join(path, name)))
    : [path];
}

function digest(): string {
  const hash = createHash("sha256");
  for (const file of inputs.flatMap((input) => filesOf(join(root, input))))
    hash.update(file).update("\0").update(readFileSync(file)).update("\0");
  return hash.digest("hex").slice(0, 16);
}

/** Environment of a process without credentials, account or region of AWS. */
export function withoutAws(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("AWS_") && !name.startsWith("CDK_")),
  );
}

/** Runs `bin/app.ts`, or the app of a variant, as the CDK's command line does. */
export function synthInto(folder: string, env: string): { status: number | null; output: string } {
  const app = env in variants ? variants[env as keyof typeof variants] : "bin/app.ts";
  const context = {
    ...(JSON.parse(readFileSync(join(root, "cdk.json"), "utf8")) as { context: Record<string, unknown> }).context,
    env,
  };
  const result = spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", app], {
    cwd: root,
    encoding: "utf8",
    env: { ...withoutAws(), CDK_OUTDIR: folder, CDK_CONTEXT_JSON: JSON.stringify(context) },
  });
  return { status: result.status, output: result.stdout + result.stderr };
}

/** @throws When another test has the lock */
function acquire(lock: string): true {
  try {
    mkdirSync(lock);
    return true;
  } catch (cause) {
    throw new Error(`another test holds ${lock}; remove it if none runs`, { cause });
  }
}

/** The synth of an environment or a variant, made once for one state of the sources, and kept in `.millrace/cdk`. */
export async function synthesised(env: SynthName): Promise<Synthesised> {
  const parent = join(root, ".millrace/cdk");
  const folder = join(parent, `${env}-${digest()}`);
  mkdirSync(parent, { recursive: true });
  const lock = `${folder}.lock`;
  const locked = await eventually(() => !existsSync(folder) && acquire(lock), { limitMs: LIMIT_MS });
  try {
    if (!existsSync(folder)) make(env, folder);
  } finally {
    if (locked) rmSync(lock, { recursive: true, force: true });
  }
  return read(folder);
}

function make(env: SynthName, folder: string): void {
  const parent = join(folder, "..");
  for (const old of readdirSync(parent).filter((name) => name.startsWith(`${env}-`) && !name.endsWith(".lock")))
    rmSync(join(parent, old), { recursive: true, force: true });
  const making = `${folder}.making`;
  rmSync(making, { recursive: true, force: true });
  const { status, output } = synthInto(making, env);
  if (status !== 0) throw new Error(`the synth of ${env} failed:\n${output}`);
  renameSync(making, folder);
}

function read(folder: string): Synthesised {
  const json = <T>(name: string): T => JSON.parse(readFileSync(join(folder, name), "utf8")) as T;
  const { artifacts } = json<{
    artifacts: Record<
      string,
      {
        type: string;
        dependencies?: string[];
        properties: {
          stackName: string;
          terminationProtection?: boolean;
          tags?: Record<string, string>;
          templateFile: string;
        };
      }
    >;
  }>("manifest.json");
  const stacks = Object.entries(artifacts).filter(([, { type }]) => type === "aws:cloudformation:stack");
  return {
    folder,
    templates: Object.fromEntries(stacks.map(([id, { properties }]) => [id, json<Template>(properties.templateFile)])),
    stacks: Object.fromEntries(
      stacks.map(([id, { properties, dependencies = [] }]) => [
        id,
        {
          stackName: properties.stackName,
          terminationProtection: properties.terminationProtection ?? false,
          dependencies: dependencies.filter((name) => !name.endsWith(".assets")),
          tags: properties.tags ?? {},
        },
      ]),
    ),
  };
}

/** The resources of a type in all stacks, each with its stack and logical id. */
export function resourcesOf(
  platform: Synthesised,
  ...types: string[]
): { readonly stack: string; readonly id: string; readonly resource: Resource }[] {
  return Object.entries(platform.templates).flatMap(([stack, { Resources }]) =>
    Object.entries(Resources)
      .filter(([, { Type }]) => types.includes(Type))
      .map(([id, resource]) => ({ stack, id, resource: { ...resource, Properties: resource.Properties ?? {} } })),
  );
}
