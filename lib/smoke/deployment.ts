import { CloudFormationClient, DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { fromTemporaryCredentials } from "@aws-sdk/credential-providers";
import type { Environment } from "../../config/schema.ts";
import { resourceName, roleOutput, smokeRoles, UNKNOWN_VERSION, VERSION_OUTPUT } from "../names.ts";

/** A deployed environment, as a smoke test reaches it. */
export interface Deployment {
  readonly config: Environment;
  /** URLs end in a slash. */
  readonly restUrl: string;
  readonly webSocketUrl: string;
  readonly iotEndpoint: IotEndpoint;
  readonly roles: Roles;
  /** JWT for the APIs; undefined where they are open. */
  readonly token: string | undefined;
}

/** Where devices connect, with a certificate each. */
export interface IotEndpoint {
  readonly host: string;
  /** @default IoT Core's, 8883 */
  readonly port?: number;
  /** Who vouches for it, PEM. @default the authorities of this machine */
  readonly authority?: string;
}

/** Credentials of the roles that the smoke test takes. */
export type Roles = Readonly<Record<(typeof smokeRoles)[number], ReturnType<typeof fromTemporaryCredentials>>>;

/**
 * Takes the roles of the smoke test, with the caller's credentials. Each is taken when it is first used, for an hour.
 *
 * @throws Error when an output is missing, because the stack is not deployed
 */
export async function takeRoles(config: Environment): Promise<Roles> {
  const output = await outputsOf(config, "access");
  const take = (name: string): ReturnType<typeof fromTemporaryCredentials> =>
    fromTemporaryCredentials({
      params: { RoleArn: output(roleOutput(name)), RoleSessionName: "millrace-smoke" },
      clientConfig: { region: config.region },
    });
  return Object.fromEntries(smokeRoles.map((name) => [name, take(name)])) as Roles;
}

/**
 * Finds an environment by the outputs of its stacks.
 *
 * @throws Error when an output is missing, because a stack is not deployed
 */
export async function findDeployment(
  config: Environment,
  roles: Roles,
  token: string | undefined,
): Promise<Deployment> {
  const output = await outputsOf(config, "ingestion", "serving");
  return {
    config,
    restUrl: withSlash(output("RestUrl")),
    webSocketUrl: output("WebSocketUrl"),
    iotEndpoint: { host: output("IotEndpoint") },
    roles,
    token,
  };
}

/**
 * Finds the user pool of an environment, and the page as its client.
 *
 * @throws Error when an output is missing, because the stack is not deployed
 */
export async function findUserPool(
  config: Environment,
): Promise<{ readonly UserPoolId: string; readonly client: string }> {
  const output = await outputsOf(config, "security", "web");
  return { UserPoolId: output("UserPoolId"), client: output("SignInClientId") };
}

/** Reads outputs of stacks; one that is missing is an error. */
async function outputsOf(config: Environment, ...stacks: readonly string[]): Promise<(name: string) => string> {
  const outputs = new Map((await Promise.all(stacks.map((stack) => stackOutputs(config, stack)))).flat());
  return (name) => {
    const value = outputs.get(name);
    if (value === undefined) throw new Error(`stack output ${name} is missing: deploy the environment first`);
    return value;
  };
}

/**
 * What is deployed of an environment: a commit, or `unknown` where its stacks are there without one. Undefined where
 * there are none.
 */
export async function deployedVersion(config: Environment): Promise<string | undefined> {
  const last = await outputsIfThere(config, "monitoring");
  if (last !== undefined) return new Map(last).get(VERSION_OUTPUT) ?? UNKNOWN_VERSION;
  return (await outputsIfThere(config, "security")) === undefined ? undefined : UNKNOWN_VERSION;
}

/** CloudFormation answers with a validation error where there is no such stack. */
async function outputsIfThere(config: Environment, stack: string): Promise<[string, string][] | undefined> {
  try {
    return await stackOutputs(config, stack);
  } catch (error) {
    if (error instanceof Error && error.name === "ValidationError") return undefined;
    throw error;
  }
}

async function stackOutputs(config: Environment, stack: string): Promise<[string, string][]> {
  const client = new CloudFormationClient({ region: config.region });
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: resourceName(config, stack) }));
  return (Stacks[0]?.Outputs ?? []).flatMap(({ OutputKey, OutputValue }) =>
    OutputKey && OutputValue ? [[OutputKey, OutputValue]] : [],
  );
}

/** Headers that a request to the REST API needs. */
export function authorization(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function withSlash(url: string): string {
  return url.endsWith("/") ? url : `${url}/`;
}
