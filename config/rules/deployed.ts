import { rule, type Rule } from "./rule.ts";

/** Where the way is written down. */
const WAY = "docs/deployment.md#what-cannot-be-changed";

/**
 * Settings whose change makes CloudFormation replace what holds data, with what is replaced. Zones: the order counts,
 * because each subnet belongs to a place in the list.
 */
const replaced = {
  name: "every resource is named after it, and would be made anew, empty",
  region: "everything would be made anew in the other region, empty",
  zones: "subnets would be replaced, and with them the cluster and the database with their data",
  cidr: "the VPC would be replaced, and with it the cluster and the database with their data",
} as const;

/** Rules of an environment that is deployed. */
export const deployedRules: readonly Rule[] = [
  rule(["deployed", "name", "region", "zones", "network"], ({ deployed, name, region, zones, network: { cidr } }) => {
    if (deployed === null) return [];
    const wanted = { name, region, zones, cidr };
    return (Object.keys(replaced) as (keyof typeof replaced)[]).map((key) => [
      String(wanted[key]) !== String(deployed[key]),
      `${key === "cidr" ? "network.cidr" : key}: ${String(wanted[key])}, deployed is ${String(deployed[key])}: ` +
        `${replaced[key]}; set it back, or move to a new environment (${WAY})`,
    ]);
  }),
];
