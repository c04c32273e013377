import { createHash } from "node:crypto";
import {
  ConditionalCheckFailedException,
  CreateTableCommand,
  DeleteItemCommand,
  DescribeTableCommand,
  GetItemCommand,
  PutItemCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  type AttributeValue,
  type DynamoDBClient,
} from "@aws-sdk/client-dynamodb";
import { z } from "zod";
import { MillraceError } from "../../domain/errors.ts";
import { checkpointAttributes } from "../../domain/names.ts";
import { DAY, SECOND } from "../../domain/time.ts";
import type { Manifest, SegmentKey, SnapshotStore } from "../engine/ports.ts";

/**
 * Segments that nobody refers to any more go by TTL. Far longer than the log is kept: without the log a snapshot is of
 * no use.
 */
const SEGMENT_TTL_MS = 365 * DAY;

const progressSchema = z.object({
  nextOffset: z.number(),
  origin: z.number(),
  fingerprint: z.string(),
  chain: z.string(),
});
const manifestSchema = z.object({
  version: z.number(),
  owner: z.string(),
  layout: z.number(),
  covers: progressSchema.nullable(),
  segments: z.array(z.object({ generation: z.number(), owner: z.string(), parts: z.number(), bytes: z.number() })),
});

/**
 * Snapshots in one DynamoDB table with a partition key and no sort key: a manifest item per task, and segment items
 * under keys of their own, so that they spread over DynamoDB's partitions.
 */
export class DynamoSnapshots implements SnapshotStore {
  readonly #client: DynamoDBClient;
  readonly #table: string;

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  async readManifest(task: string): Promise<Manifest | null> {
    const { Item } = await this.#client.send(
      new GetItemCommand({ TableName: this.#table, Key: id(manifestId(task)), ConsistentRead: true }),
    );
    if (!Item) return null;
    const body = Item["body"]?.S ?? "";
    try {
      return manifestSchema.parse(JSON.parse(body));
    } catch (cause) {
      throw new MillraceError(
        "snapshot-corrupt",
        `${task}: the snapshot manifest can't be read (${body.slice(0, 100)}); see \`npm run recover -- --task ${task}\``,
        { cause },
      );
    }
  }

  async writeManifest(
    task: string,
    next: Manifest,
    expected: Pick<Manifest, "version" | "owner"> | null,
  ): Promise<boolean> {
    try {
      await this.#client.send(
        new PutItemCommand({
          TableName: this.#table,
          Item: {
            ...id(manifestId(task)),
            version: { N: String(next.version) },
            owner: { S: next.owner },
            body: { S: JSON.stringify(next) },
          },
          ExpressionAttributeNames: expected
            ? { "#version": "version", "#owner": "owner" }
            : { "#id": checkpointAttributes.key },
          ...(expected
            ? {
                ExpressionAttributeValues: {
                  ":version": { N: String(expected.version) },
                  ":owner": { S: expected.owner },
                },
              }
            : {}),
          ConditionExpression: expected ? "#version = :version AND #owner = :owner" : "attribute_not_exists(#id)",
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  }

  async putSegment(task: string, key: SegmentKey, bytes: Uint8Array): Promise<void> {
    await this.#client.send(
      new PutItemCommand({
        TableName: this.#table,
        Item: {
          ...id(segmentId(task, key)),
          bytes: { B: bytes },
          sha256: { S: sha256(bytes) },
          [checkpointAttributes.ttl]: { N: String(Math.floor((Date.now() + SEGMENT_TTL_MS) / SECOND)) },
        },
      }),
    );
  }

  async getSegment(task: string, key: SegmentKey): Promise<Uint8Array | null> {
    const { Item } = await this.#client.send(
      new GetItemCommand({ TableName: this.#table, Key: id(segmentId(task, key)), ConsistentRead: true }),
    );
    const bytes = Item?.["bytes"]?.B;
    return bytes && Item["sha256"]?.S === sha256(bytes) ? bytes : null;
  }

  async deleteSegment(task: string, key: SegmentKey): Promise<void> {
    await this.#client.send(new DeleteItemCommand({ TableName: this.#table, Key: id(segmentId(task, key)) }));
  }
}

/** Creates the table where nobody else does: on a laptop. */
export async function createCheckpointTable(client: DynamoDBClient, table: string): Promise<void> {
  try {
    await client.send(new DescribeTableCommand({ TableName: table }));
    return;
  } catch (error) {
    if (!(error instanceof ResourceNotFoundException)) throw error;
  }
  try {
    await client.send(
      new CreateTableCommand({
        TableName: table,
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: [{ AttributeName: checkpointAttributes.key, AttributeType: "S" }],
        KeySchema: [{ AttributeName: checkpointAttributes.key, KeyType: "HASH" }],
      }),
    );
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error;
  }
}

function id(value: string): Record<string, AttributeValue> {
  return { [checkpointAttributes.key]: { S: value } };
}
function manifestId(task: string): string {
  return `manifest/${task}`;
}
function segmentId(task: string, key: SegmentKey): string {
  return `segment/${task}/${key.owner}/${key.generation}/${key.part}`;
}
function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64");
}
