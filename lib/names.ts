import { Aws } from "aws-cdk-lib";
import type { Environment } from "../config/schema.ts";

/** `millrace-<env>-<name>`: unique in an account and region, which environments can therefore share. */
export function resourceName(config: Pick<Environment, "name">, name: string): string {
  return `millrace-${config.name}-${name}`;
}

/** Name of a bucket. Bucket names are unique in the world, so account and region are in it. */
export function bucketName(config: Pick<Environment, "name">, name: string): string {
  return `${resourceName(config, name)}-${Aws.ACCOUNT_ID}-${Aws.REGION}`;
}

/** Name of a log group. The key of the logs encrypts only log groups with this prefix. */
export function logGroupName(config: Pick<Environment, "name">, name: string): string {
  return `/millrace/${config.name}/${name}`;
}

/** Glue database of the lake. It has no hyphens, because Athena would want quotes around them. */
export function lakeDatabaseName(config: Pick<Environment, "name">): string {
  return `millrace_${config.name}`;
}

/** Athena's work group of the analysts. */
export function workGroupName(config: Pick<Environment, "name">): string {
  return resourceName(config, "analysts");
}

/** Roles of the stack `access` that `npm run smoke` takes: each part of it has the rights of who would do it. */
export const smokeRoles = ["analyst", "on-call", "smoke"] as const;

/** Output of the stack `access` with the ARN of a role. */
export function roleOutput(role: string): string {
  return `Arn${role.replaceAll("-", "")}`;
}

/** What the smoke test's devices are named after, and their serial numbers. */
export const SMOKE_DEVICE_PREFIX = "smoke-";

/** Output of the stack `monitoring` that names what is deployed: a commit. */
export const VERSION_OUTPUT = "Version";

/** Output of the stack `network` that says what the environment is deployed with: `deployed` of its config, as JSON. */
export const DEPLOYED_OUTPUT = "Deployed";

/** What `Version` says where a deployment was not told its version. */
export const UNKNOWN_VERSION = "unknown";
