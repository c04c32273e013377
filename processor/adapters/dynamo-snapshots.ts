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
  type PutItemCommandInput,
} from "@aws-sdk/client-dynamodb";
import { checkpointAttributes } from "../../domain/names.ts";
import { DAY, SECOND } from "../../domain/time.ts";
import { needsRecovery } from "../engine/needs-recovery.ts";
import type { Manifest, SegmentKey, SnapshotStore } from "../engine/ports.ts";
import { decodeManifest, encodeManifest } from "./snapshot-manifest.ts";

/**
 * Orphaned segments are removed by the table's TTL. It is far longer than the log is kept, and without the log a
 * snapshot can't be used.
 */
const SEGMENT_TTL_MS = 365 * DAY;

/** Characters of an unreadable manifest that an error quotes. */
const SHOWN_CHARACTERS = 100;

/**
 * Snapshots in one DynamoDB table with a partition key and no sort key. A task has one manifest item. Each segment is
 * an item under a key of its own, so that segments spread over DynamoDB's partitions.
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
      return decodeManifest(body);
    } catch (cause) {
      const shown = body.slice(0, SHOWN_CHARACTERS);
      throw needsRecovery("snapshot-corrupt", task, `the snapshot manifest can't be read (${shown})`, cause);
    }
  }

  async writeManifest(
    task: string,
    next: Manifest,
    expected: Pick<Manifest, "version" | "owner"> | null,
  ): Promise<boolean> {
    const item = {
      ...id(manifestId(task)),
      version: { N: String(next.version) },
      owner: { S: next.owner },
      body: { S: encodeManifest(next) },
    };
    const condition = expected ? isManifest(expected) : IS_NEW;
    try {
      await this.#client.send(new PutItemCommand({ TableName: this.#table, Item: item, ...condition }));
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

/** Condition of a put: there is no such item yet. */
const IS_NEW = {
  ExpressionAttributeNames: { "#id": checkpointAttributes.key },
  ConditionExpression: "attribute_not_exists(#id)",
} satisfies Partial<PutItemCommandInput>;

/** Condition of a put: the stored manifest is this one. */
function isManifest({ version, owner }: Pick<Manifest, "version" | "owner">): Partial<PutItemCommandInput> {
  return {
    ExpressionAttributeNames: { "#version": "version", "#owner": "owner" },
    ExpressionAttributeValues: { ":version": { N: String(version) }, ":owner": { S: owner } },
    ConditionExpression: "#version = :version AND #owner = :owner",
  };
}

/** Creates the table if there is none, for local DynamoDB. In AWS the stack creates it. */
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
