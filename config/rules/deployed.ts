import type { Environment } from "../schema.ts";
import { rule, type Condition, type Rule } from "./rule.ts";

/** Where the way is written down. */
const WAY = "docs/deployment.md#what-cannot-be-changed";

/**
 * Settings whose change loses data, with how: CloudFormation replaces what holds it, or devices send it where nobody
 * reads it. Zones: the order counts, because each subnet belongs to a place in the list.
 */
const lost = {
  name: "every resource is named after it, and would be made anew, empty",
  region: "everything would be made anew in the other region, empty",
  zones: "subnets would be replaced, and with them the cluster and the database with their data",
  cidr: "the VPC would be replaced, and with it the cluster and the database with their data",
  mqttPrefix: "devices in the field publish under the deployed one, where nobody would read it and no policy allows it",
} as const;

export type Deployed = NonNullable<Environment["deployed"]>;

/** The settings of an environment that cannot change without losing data. */
export function placeOf({ name, region, zones, network, mqttPrefix }: Placed): Deployed {
  return { name, region, zones, cidr: network.cidr, mqttPrefix };
}
type Placed = Pick<Environment, "name" | "region" | "zones" | "network" | "mqttPrefix">;

function conditions(config: Placed, deployed: Deployed): Condition[] {
  const wanted = placeOf(config);
  return (Object.keys(lost) as (keyof typeof lost)[]).map((key) => [
    String(wanted[key]) !== String(deployed[key]),
    `${key === "cidr" ? "network.cidr" : key}: ${String(wanted[key])}, deployed is ${String(deployed[key])}: ` +
      `${lost[key]}; set it back, or move to a new environment (${WAY})`,
  ]);
}

/** What a deployment over another one would replace, with its data, one sentence each. */
export function replacements(config: Placed, deployed: Deployed): string[] {
  return conditions(config, deployed)
    .filter(([broken]) => broken)
    .map(([, problem]) => problem);
}

/** Rules of an environment that is deployed. */
export const deployedRules: readonly Rule[] = [
  rule(["deployed", "name", "region", "zones", "network", "mqttPrefix"], ({ deployed, ...config }) =>
    deployed === null ? [] : conditions(config, deployed),
  ),
];
