import {
  type aws_cloudfront as cloudfront,
  aws_s3 as s3,
  aws_s3_deployment as deployment,
  CfnOutput,
  Duration,
  RemovalPolicy,
} from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { bundlePage } from "../../dashboard/build/bundle.ts";
import { logGroup } from "../constructs/log-group.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { bucketName } from "../names.ts";
import { acknowledge, acknowledgeCdkFunctions } from "../reusable/acknowledge.ts";
import { dashboardDistribution } from "./dashboard-distribution.ts";
import type { SecurityStack } from "./security.ts";
import type { ServingStack } from "./serving.ts";
import { pageSignIn, signInOrigins } from "./sign-in.ts";

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
    this.distribution = dashboardDistribution(this, {
      bucket: bucket as s3.IBucket,
      accessLogs: accessLogs as s3.IBucket,
      connectsTo: [originOf(serving.rest.url), serving.webSocket.url, ...signInOrigins(this, security.users)],
    });
    const url = `https://${config.web.domain?.name ?? this.distribution.distributionDomainName}`;
    this.#files(bucket as s3.IBucket, serving, security, `${url}/`);
    new CfnOutput(this, "DashboardUrl", { value: url, description: "dashboard" });
  }

  /** The page's files, where its APIs are, and how it signs in. */
  #files(bucket: s3.IBucket, serving: ServingStack, security: SecurityStack, pageUrl: string): void {
    const signIn = pageSignIn(this, security.users, pageUrl);
    const settings = deployment.Source.jsonData("config.json", {
      environment: this.config.name,
      restUrl: serving.rest.url,
      webSocketUrl: serving.webSocket.url,
      // The account's endpoint of IoT Core is no attribute of a stack: the page has the command that gives it.
      mqtt: { url: null, prefix: this.config.mqttPrefix },
      ...(signIn && { signIn }),
    });
    const log = logGroup(this, "DeploymentLogs", {
      config: this.config,
      name: "function/web-deployment",
      key: security.keys.operations,
    });
    new deployment.BucketDeployment(this, "Files", {
      sources: [deployment.Source.asset(bundlePage()), settings],
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

/** `https://host` of a URL. The URL may hold a token of the CDK, which has to stay whole. */
function originOf(url: string): string {
  return url.replace(/^(https:\/\/[^/]+)\/.*$/, "$1");
}
