import { OBJECTS_OF_A_BUCKET, type AllowedWildcard } from "./allowed-wildcard.ts";

/** Policies of buckets and queues. */
export const bucketAndQueueWildcards: readonly AllowedWildcard[] = [
  {
    stacks: ["lake", "state", "web"],
    actions: ["s3:*"],
    resource: OBJECTS_OF_A_BUCKET,
    reason: "a denial of whatever comes without TLS",
  },
  { actions: ["sqs:*"], reason: "a denial of whatever comes without TLS" },
  {
    stacks: ["lake", "web"],
    actions: ["s3:PutObject"],
    resource: /^<[^>]+>\/((lake|audit|bucket)\/|AWSLogs\/(<[^>]+>|\d{12})\/)?\*$/,
    reason: "S3 and CloudTrail name their log files themselves",
  },
];
