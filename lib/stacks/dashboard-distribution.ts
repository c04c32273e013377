import {
  aws_certificatemanager as acm,
  aws_cloudfront as cloudfront,
  aws_cloudfront_origins as origins,
  aws_route53_targets as targets,
  type aws_s3 as s3,
  Duration,
} from "aws-cdk-lib";
import { dashboardPolicy } from "../../domain/dashboard.ts";
import { domainAlias } from "../constructs/domain-alias.ts";
import type { MillraceStack } from "../constructs/millrace-stack.ts";
import { resourceName } from "../names.ts";
import { acknowledge } from "../reusable/acknowledge.ts";

export interface DashboardDistributionProps {
  readonly bucket: s3.IBucket;
  readonly accessLogs: s3.IBucket;
  /** Origins that the page may connect to, and no others. */
  readonly connectsTo: readonly string[];
}

/** CloudFront before the bucket with the dashboard's files. */
export function dashboardDistribution(
  stack: MillraceStack,
  { bucket, accessLogs, connectsTo }: DashboardDistributionProps,
): cloudfront.Distribution {
  const { domain, webAclArn } = stack.config.web;
  const responseHeadersPolicy = securityHeaders(stack, connectsTo);
  const distribution = new cloudfront.Distribution(stack, "Distribution", {
    comment: resourceName(stack.config, "dashboard"),
    defaultRootObject: "index.html",
    defaultBehavior: {
      // Who may not list a bucket gets 403 for a file that is not there.
      origin: origins.S3BucketOrigin.withOriginAccessControl(bucket, {
        originAccessLevels: [cloudfront.AccessLevel.READ, cloudfront.AccessLevel.LIST],
      }),
      viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
      responseHeadersPolicy,
      allowedMethods: cloudfront.AllowedMethods.ALLOW_GET_HEAD,
      compress: true,
    },
    httpVersion: cloudfront.HttpVersion.HTTP2_AND_3,
    priceClass: cloudfront.PriceClass.PRICE_CLASS_100,
    enableLogging: true,
    logBucket: accessLogs,
    logFilePrefix: "distribution/",
    ...(domain === null
      ? {}
      : {
          domainNames: [domain.name],
          minimumProtocolVersion: cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
          certificate: acm.Certificate.fromCertificateArn(stack, "Certificate", domain.certificateArn),
        }),
    ...(webAclArn === null ? {} : { webAclId: webAclArn }),
  });
  if (domain !== null) domainAlias(stack, domain, new targets.CloudFrontTarget(distribution));
  acknowledge(distribution, acceptedFindings(stack.config.web));
  return distribution;
}

function acceptedFindings({ domain, webAclArn }: MillraceStack["config"]["web"]): Record<string, string> {
  return {
    CFR1: "sensors and the people who watch them are anywhere; restrict it in the web ACL where yours are not",
    ...(webAclArn === null && {
      CFR2:
        "static files without a back end; the config takes the ARN of a web ACL, " +
        "which CloudFront wants in us-east-1",
    }),
    ...(domain === null && {
      CFR4: "without a domain of its own, CloudFront's default certificate is used, whose protocol can't be chosen",
    }),
  };
}

function securityHeaders(stack: MillraceStack, connectsTo: readonly string[]): cloudfront.ResponseHeadersPolicy {
  return new cloudfront.ResponseHeadersPolicy(stack, "Headers", {
    responseHeadersPolicyName: resourceName(stack.config, "dashboard"),
    securityHeadersBehavior: {
      contentSecurityPolicy: {
        override: true,
        contentSecurityPolicy: dashboardPolicy(connectsTo),
      },
      contentTypeOptions: { override: true },
      frameOptions: { override: true, frameOption: cloudfront.HeadersFrameOption.DENY },
      referrerPolicy: { override: true, referrerPolicy: cloudfront.HeadersReferrerPolicy.NO_REFERRER },
      strictTransportSecurity: { override: true, accessControlMaxAge: Duration.days(730), includeSubdomains: true },
    },
  });
}
