import { aws_route53 as route53 } from "aws-cdk-lib";
import type { Construct } from "constructs";

/** A domain of one's own, with a certificate that exists. */
export interface OwnDomain {
  readonly name: string;
  readonly certificateArn: string;
  /** Its hosted zone in Route 53. @default - the domain's owner points it to its target */
  readonly hostedZoneId?: string | undefined;
  readonly hostedZoneName?: string | undefined;
}

/** Points a domain to its target where its hosted zone is named. Elsewhere the domain's owner does that. */
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
