import { cidrsOverlap } from "../cidr.ts";
import { rule, type Rule } from "./rule.ts";

export const networkRules: readonly Rule[] = [
  rule(["zones", "region"], ({ zones, region }) => [
    ...zones.map((zone) => [!zone.startsWith(region), `zones: ${zone} is not a zone of the region ${region}`] as const),
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
