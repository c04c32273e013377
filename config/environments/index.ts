import { MillraceError } from "../../domain/errors.ts";
import { readEnvironment } from "../read-environment.ts";
import { clashes } from "../rules/shared-account.ts";
import type { Environment } from "../schema.ts";
import dev from "./dev.ts";
import prod from "./prod.ts";
import staging from "./staging.ts";

const environments: Readonly<Record<string, unknown>> = { dev, staging, prod };

/** Names of the environments that have a config. */
export const environmentNames = Object.keys(environments);

/**
 * The validated config of an environment.
 *
 * @param account Of the credentials that deploy it, where they are known: an environment that names no account is
 *   there.
 * @throws MillraceError `config-invalid` when there is none of that name, or when it is wrong
 */
export function environment(name: unknown, account?: string): Environment {
  if (typeof name !== "string" || !Object.hasOwn(environments, name))
    throw new MillraceError(
      "config-invalid",
      `there is no environment ${JSON.stringify(name)}; choose one of ${environmentNames.join(", ")}: -c env=dev`,
    );
  const config = readEnvironment(environments[name]);
  if (config.name !== name)
    throw new MillraceError(
      "config-invalid",
      `config/environments/${name}.ts has the name ${JSON.stringify(config.name)}; ` +
        "a file is named after its environment",
    );
  const found = clashes(config, wellFormed(), config.account ?? account);
  if (found.length > 0)
    throw new MillraceError(
      "config-invalid",
      `${name} can't be deployed beside the other environments:\n${found.map((clash) => `  - ${clash}`).join("\n")}`,
    );
  return config;
}

/** The environments without mistakes. The mistakes of another environment are told when that one is asked for. */
export function wellFormed(): Environment[] {
  return Object.values(environments).flatMap((input) => {
    try {
      return [readEnvironment(input)];
    } catch {
      return [];
    }
  });
}
