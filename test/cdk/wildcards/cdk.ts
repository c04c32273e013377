import { ANY, OBJECTS_OF_A_BUCKET, type AllowedWildcard } from "./allowed-wildcard.ts";

/** The CDK's own functions behind custom resources. */
export const cdkWildcards: readonly AllowedWildcard[] = [
  {
    stacks: ["streaming"],
    actions: ["lambda:InvokeFunction"],
    resource: /^<[^>]+>:\*$/,
    reason: "the provider invokes any version of the one function that it is made for",
  },
  {
    stacks: ["web"],
    actions: [
      "s3:GetObject*",
      "s3:GetBucket*",
      "s3:List*",
      "s3:DeleteObject*",
      "s3:PutObject",
      "s3:PutObjectLegalHold",
      "s3:PutObjectRetention",
      "s3:PutObjectTagging",
      "s3:PutObjectVersionTagging",
      "s3:Abort*",
    ],
    resource: /^<[^>]+>\/\*$|^arn:aws:s3:::<?cdk-[a-z0-9]+-assets-[^>/]+>?\/\*$/,
    reason: "the deployment function copies files from the bucket of assets to the dashboard's bucket",
  },
  {
    stacks: ["web"],
    actions: ["cloudfront:GetInvalidation", "cloudfront:CreateInvalidation"],
    resource: ANY,
    reason: "the deployment function; the actions could name the distribution, but the construct does not",
  },
  {
    stacks: ["lake", "state", "web"],
    actions: ["s3:PutBucketPolicy", "s3:GetBucket*", "s3:List*", "s3:DeleteObject*"],
    resource: OBJECTS_OF_A_BUCKET,
    reason: "bucket policy: a function empties the buckets of environments that keep no data",
  },
];
