import { Aws } from "aws-cdk-lib";
import type { Environment } from "../config/schema.ts";

/** `millrace-<env>-<name>`: unique in an account and region, so that environments can share them. */
export function resourceName(config: Pick<Environment, "name">, name: string): string {
  return `millrace-${config.name}-${name}`;
}

/** Bucket names are unique in the world: account and region stand in them. */
export function bucketName(config: Pick<Environment, "name">, name: string): string {
  return `${resourceName(config, name)}-${Aws.ACCOUNT_ID}-${Aws.REGION}`;
}

/** All log groups of an environment have this prefix: the logs key is usable for no others. */
export function logGroupName(config: Pick<Environment, "name">, name: string): string {
  return `/millrace/${config.name}/${name}`;
}

/** Glue database of the lake (no hyphens: Athena would want quotes). */
export function lakeDatabaseName(config: Pick<Environment, "name">): string {
  return `millrace_${config.name}`;
}
