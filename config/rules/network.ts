import { cidrsOverlap } from "../cidr.ts";
import { rule, type Rule } from "./rule.ts";

/**
 * What the ids of a region's zones begin with: `use1` for us-east-1, `apse2` for ap-southeast-2.
 * https://docs.aws.amazon.com/global-infrastructure/latest/regions/az-ids.html
 */
function zonePrefix(region: string): string {
  const [area = "", ...rest] = region.split("-");
  const number = rest.pop() ?? "";
  const letters = rest.join("").match(/north|south|east|west|central|gov/g) ?? [];
  return `${area}${letters.map(([letter]) => letter).join("")}${number}`;
}

export const networkRules: readonly Rule[] = [
  rule(["zones", "region"], ({ zones, region }) => [
    ...zones.map(
      (zone) => [!zone.startsWith(`${zonePrefix(region)}-`), `zones: ${zone} is not a zone of ${region}`] as const,
    ),
    [new Set(zones).size < zones.length, `zones: ${zones.join(", ")} names a zone twice`],
  ]),
  rule(["network"], ({ network: { cidr, peerCidrs } }) =>
    peerCidrs.map((peer) => [
      cidrsOverlap(peer, cidr),
      `network.cidr: ${cidr} overlaps the peer network ${peer}; choose a block that no peer uses`,
    ]),
  ),
  rule(["network", "zones"], ({ network: { natGateways }, zones }) => [
    [natGateways > zones.length, `network.natGateways: ${natGateways}, more than the ${zones.length} zones`],
  ]),
];
