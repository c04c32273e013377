import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  aws_certificatemanager as acm,
  aws_cloudfront as cloudfront,
  aws_cloudfront_origins as origins,
  aws_route53_targets as targets,
  aws_s3 as s3,
  aws_s3_deployment as deployment,
  CfnOutput,
  Duration,
  RemovalPolicy,
} from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { root } from "../bundles.ts";
import { acknowledge, acknowledgeCdkFunctions } from "../constructs/acknowledge.ts";
import { domainAlias } from "../constructs/domain-alias.ts";
import { logGroup } from "../constructs/log-group.ts";
import { bucketName, resourceName } from "../names.ts";
import type { SecurityStack } from "./security.ts";
import type { ServingStack } from "./serving.ts";
import { MillraceStack } from "./stack.ts";

/** The dashboard: files in a private bucket, behind CloudFront. */
export class WebStack extends MillraceStack {
  readonly distribution: cloudfront.Distribution;

  constructor(
    scope: Construct,
    id: string,
    config: Environment,
    { serving, security }: { readonly serving: ServingStack; readonly security: SecurityStack },
  ) {
    super(scope, id, { config, stateful: false, description: "dashboard" });
    const bucketProps: s3.BucketProps = {
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      encryption: s3.BucketEncryption.S3_MANAGED,
      removalPolicy: RemovalPolicy.DESTROY,
      autoDeleteObjects: true,
    };
    const accessLogs = new s3.Bucket(this, "AccessLogs", {
      ...bucketProps,
      bucketName: bucketName(config, "web-logs"),
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
      lifecycleRules: [{ expiration: Duration.days(config.logRetentionDays) }],
    });
    acknowledge(accessLogs, { S1: "the bucket that access logs go to; logging its own access would never end" });
    const bucket = new s3.Bucket(this, "Bucket", {
      ...bucketProps,
      bucketName: bucketName(config, "web"),
      versioned: true,
      serverAccessLogsBucket: accessLogs as s3.IBucket,
      serverAccessLogsPrefix: "bucket/",
    });
    this.distribution = this.#distribution(bucket as s3.IBucket, accessLogs as s3.IBucket, serving);
    this.#files(bucket as s3.IBucket, serving, security);
    new CfnOutput(this, "DashboardUrl", {
      value: `https://${config.web.domain?.name ?? this.distribution.distributionDomainName}`,
      description: "dashboard",
    });
  }

  #distribution(bucket: s3.IBucket, accessLogs: s3.IBucket, serving: ServingStack): cloudfront.Distribution {
    const { domain, webAclArn } = this.config.web;
    const headers = new cloudfront.ResponseHeadersPolicy(this, "Headers", {
      responseHeadersPolicyName: resourceName(this.config, "dashboard"),
      securityHeadersBehavior: {
        contentSecurityPolicy: {
          override: true,
          contentSecurityPolicy: `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self' ${originOf(serving.rest.url)} ${serving.webSocket.url}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
        },
        contentTypeOptions: { override: true },
        frameOptions: { override: true, frameOption: cloudfront.HeadersFrameOption.DENY },
        referrerPolicy: { override: true, referrerPolicy: cloudfront.HeadersReferrerPolicy.NO_REFERRER },
        strictTransportSecurity: { override: true, accessControlMaxAge: Duration.days(730), includeSubdomains: true },
      },
    });
    const distribution = new cloudfront.Distribution(this, "Distribution", {
      comment: resourceName(this.config, "dashboard"),
      defaultRootObject: "index.html",
      defaultBehavior: {
        origin: origins.S3BucketOrigin.withOriginAccessControl(bucket),
        viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        responseHeadersPolicy: headers,
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
            certificate: acm.Certificate.fromCertificateArn(this, "Certificate", domain.certificateArn),
          }),
      ...(webAclArn === null ? {} : { webAclId: webAclArn }),
    });
    if (domain !== null) domainAlias(this, domain, new targets.CloudFrontTarget(distribution));
    acknowledge(distribution, {
      CFR1: "sensors and the people who watch them are anywhere; restrict it in the web ACL where yours are not",
      ...(webAclArn === null
        ? {
            CFR2: "static files without a back end; the config takes the ARN of a web ACL, which CloudFront wants in us-east-1",
          }
        : {}),
      ...(domain === null
        ? {
            CFR4: "without a domain of its own, CloudFront's default certificate is used, whose protocol can't be chosen",
          }
        : {}),
    });
    return distribution;
  }

  /** The page's files, and where its APIs are. */
  #files(bucket: s3.IBucket, serving: ServingStack, security: SecurityStack): void {
    const folder = join(root, "dashboard");
    const settings = deployment.Source.jsonData("config.json", {
      environment: this.config.name,
      restUrl: serving.rest.url,
      webSocketUrl: serving.webSocket.url,
    });
    const log = logGroup(this, "DeploymentLogs", {
      config: this.config,
      name: "function/web-deployment",
      key: security.keys.operations,
    });
    new deployment.BucketDeployment(this, "Files", {
      sources: [...(existsSync(folder) ? [deployment.Source.asset(folder)] : []), settings],
      destinationBucket: bucket,
      distribution: this.distribution,
      distributionPaths: ["/*"],
      cacheControl: [deployment.CacheControl.fromString("public, max-age=300")],
      logGroup: log,
      memoryLimit: 512,
    });
    acknowledgeCdkFunctions(this, "Custom::CDKBucketDeployment", "copies the dashboard's files to their bucket", [
      "*",
      "/*",
      "s3:GetBucket*",
      "s3:GetObject*",
      "s3:List*",
      "s3:Abort*",
      "s3:DeleteObject*",
    ]);
  }
}

/** `https://host` of a URL; the CDK's tokens have to stay whole. */
function originOf(url: string): string {
  return url.replace(/^(https:\/\/[^/]+)\/.*$/, "$1");
}
