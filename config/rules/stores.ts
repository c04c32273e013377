import { rule, type Rule } from "./rule.ts";

/** Rules of the lake and of the document database. */
export const storeRules: readonly Rule[] = [
  rule(["lake"], ({ lake: { glacierAfterDays, expireAfterDays } }) => [
    [
      expireAfterDays <= glacierAfterDays,
      `lake.expireAfterDays: ${expireAfterDays}, not after glacierAfterDays (${glacierAfterDays})`,
    ],
  ]),
  rule(["lake", "region"], ({ lake: { replica }, region }) => {
    if (replica === null) return [];
    const { bucketArn, keyArn } = replica;
    return [
      [!bucketArn.includes(":s3:::"), `lake.replica.bucketArn: ${bucketArn} is not the ARN of a bucket`],
      [
        !keyArn.includes(":kms:") || keyArn.includes(`:${region}:`),
        `lake.replica.keyArn: ${keyArn} is not the ARN of a KMS key in another region than ${region}`,
      ],
    ];
  }),
  rule(["documents"], ({ documents: { minCapacity, maxCapacity } }) => [
    [minCapacity > maxCapacity, `documents.minCapacity: ${minCapacity}, more than maxCapacity (${maxCapacity})`],
  ]),
];
