/** A step of Firehose between a record and the lake, as `Processor` of its API. */
export interface DeliveryProcessor {
  readonly type: "RecordDeAggregation" | "MetadataExtraction";
  readonly parameters: readonly { readonly parameterName: string; readonly parameterValue: string }[];
}

/**
 * What each delivery stream does with a record. CDK configures the streams with it, and the local endpoint does the
 * same.
 *
 * 1. It is cut into its rows, because Firehose bills a record as at least 5 KB.
 * 2. The fields `dt` and `hour` of a row name its partition.
 *
 * https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
 */
export const deliveryProcessors: readonly DeliveryProcessor[] = [
  {
    type: "RecordDeAggregation",
    parameters: [{ parameterName: "SubRecordType", parameterValue: "JSON" }],
  },
  {
    type: "MetadataExtraction",
    parameters: [
      { parameterName: "MetadataExtractionQuery", parameterValue: "{dt: .dt, hour: .hour}" },
      { parameterName: "JsonParsingEngine", parameterValue: "JQ-1.6" },
    ],
  },
];

/**
 * Limits of Firehose's Direct PUT, inclusive: records and bytes of a call, bytes of a record, and rows that a record is
 * cut into. One with more rows is accepted, and not cut:
 * https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
 */
export const deliveryLimits = {
  callRecords: 500,
  callBytes: 4 * 1_024 * 1_024,
  recordBytes: 1_000 * 1_024,
  recordRows: 500,
} as const;
