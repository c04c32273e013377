import { aws_route53 as route53 } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { OwnDomain } from "../../config/schema.ts";

/** Points a domain to its target where the config names its hosted zone. Elsewhere the domain's owner does that. */
export function domainAlias(scope: Construct, domain: OwnDomain, target: route53.IAliasRecordTarget): void {
  if (!domain.hostedZoneId || !domain.hostedZoneName) return;
  const zone = route53.HostedZone.fromHostedZoneAttributes(scope, "Zone", {
    hostedZoneId: domain.hostedZoneId,
    zoneName: domain.hostedZoneName,
  });
  new route53.ARecord(scope, "Alias", {
    zone,
    recordName: `${domain.name}.`,
    target: route53.RecordTarget.fromAlias(target),
  });
}
