import { existingWhere } from "../../domain/pipelines.ts";
import { tables, type TableName, type TableSpec } from "../../domain/tables.ts";
import { runningPipelineNames } from "../pipelines.ts";
import { rule, type Rule } from "./rule.ts";

/** Days that Glacier Instant Retrieval bills for an object at least. https://aws.amazon.com/s3/storage-classes/ */
const GLACIER_MINIMUM_DAYS = 90;

/** Rules of the lake and of the document database. */
export const storeRules: readonly Rule[] = [
  rule(["lake"], ({ lake: { glacierAfterDays, expireAfterDays } }) => [
    [
      glacierAfterDays !== null && expireAfterDays < glacierAfterDays + GLACIER_MINIMUM_DAYS,
      `lake.expireAfterDays: ${expireAfterDays}, less than ${GLACIER_MINIMUM_DAYS} days after glacierAfterDays ` +
        `(${glacierAfterDays}); Glacier Instant Retrieval bills ${GLACIER_MINIMUM_DAYS} days at least: ` +
        "set glacierAfterDays to null, or keep rows longer",
    ],
  ]),
  rule(["lake", "processor"], ({ lake, processor }) =>
    (Object.keys(lake.streams) as TableName[]).map((name) => [
      existingWhere([tables[name] as TableSpec], runningPipelineNames({ processor })).length === 0,
      `lake.streams.${name}: the pipeline of this table does not run; give it an entry in processor`,
    ]),
  ),
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
