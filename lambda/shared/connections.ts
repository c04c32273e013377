import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  PutItemCommand,
  UpdateItemCommand,
  type DynamoDBClient,
} from "@aws-sdk/client-dynamodb";
import { MAX_SUBSCRIPTIONS } from "../../domain/api.ts";
import type { PipelineName } from "../../domain/pipelines.ts";
import { MAX_RESUMES, type Resume } from "../../domain/resume.ts";
import { connectionAttributes, CONNECTION_LIFE_MS, ensureConnectionsTable } from "./connections-table.ts";

/** A sensor (or `ALL_SENSORS`), a session or a symbol whose data a connection gets. */
export interface Subscription {
  readonly kind: "sensors" | "sessions" | "symbols";
  readonly id: string;
}

/** WebSocket connections and their subscriptions, in DynamoDB. */
export interface Connections {
  /** Registers a connection and its first subscriptions. */
  add(connectionId: string, subscriptions: readonly Subscription[], nowMs: number): Promise<void>;
  /** Removes a connection. It is no error when there is none of that id. */
  remove(connectionId: string): Promise<void>;
  /**
   * Adds a subscription, and what the connection asks to be sent again of it.
   *
   * @returns Why nothing was changed: the connection has `MAX_SUBSCRIPTIONS` of that kind, or would wait for more than
   *   `MAX_RESUMES`.
   */
  subscribe(
    connectionId: string,
    subscription: Subscription,
    resumes: readonly Resume[],
    nowMs: number,
  ): Promise<"done" | "too-many-subscriptions" | "too-many-resumes">;
  /** Removes a subscription. It is no error when there is none. */
  unsubscribe(connectionId: string, subscription: Subscription, nowMs: number): Promise<void>;
}

/** Connections in a table of DynamoDB. `createTable`: create the table if it does not exist (local platform). */
export function dynamoDbConnections(client: DynamoDBClient, tableName: string, createTable: boolean): Connections {
  const Key = (connectionId: string): { connectionId: { S: string } } => ({
    [connectionAttributes.id]: { S: connectionId },
  });
  let ready: Promise<void> | undefined;
  const table = async (): Promise<string> => {
    if (createTable) {
      ready ??= ensureConnectionsTable(client, tableName);
      await ready.catch((error: unknown) => {
        ready = undefined;
        throw error;
      });
    }
    return tableName;
  };
  return {
    async add(connectionId, subscriptions, nowMs) {
      const sets = Object.entries(Object.groupBy(subscriptions, ({ kind }) => kind)).map(
        ([kind, items]) => [kind, { SS: [...new Set(items.map(({ id }) => id))] }] as const,
      );
      await client.send(
        new PutItemCommand({
          TableName: await table(),
          Item: { ...Key(connectionId), [connectionAttributes.expiresAt]: expiry(nowMs), ...Object.fromEntries(sets) },
        }),
      );
    },
    async remove(connectionId) {
      await client.send(new DeleteItemCommand({ TableName: await table(), Key: Key(connectionId) }));
    },
    async subscribe(connectionId, { kind, id }, resumes, nowMs) {
      const asks = resumes.length > 0;
      try {
        await client.send(
          new UpdateItemCommand({
            TableName: await table(),
            Key: Key(connectionId),
            UpdateExpression: `${KEEP} ADD #set :id${asks ? ", #resumes :resumes" : ""}`,
            ConditionExpression:
              "(attribute_not_exists(#set) OR contains(#set, :one) OR size(#set) < :max)" +
              (asks ? " AND (attribute_not_exists(#resumes) OR size(#resumes) <= :room)" : ""),
            ReturnValuesOnConditionCheckFailure: "ALL_OLD",
            ExpressionAttributeNames: {
              ...names(kind),
              ...(asks ? { "#resumes": connectionAttributes.resumes } : {}),
            },
            ExpressionAttributeValues: {
              ":id": { SS: [id] },
              ":expiresAt": expiry(nowMs),
              ":one": { S: id },
              ":max": { N: String(MAX_SUBSCRIPTIONS) },
              ...(asks
                ? {
                    ":resumes": { SS: resumes.map((resume) => JSON.stringify(resume)) },
                    ":room": { N: String(MAX_RESUMES - resumes.length) },
                  }
                : {}),
            },
          }),
        );
        return "done";
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
        const waiting = error.Item?.[connectionAttributes.resumes]?.SS?.length ?? 0;
        return asks && waiting + resumes.length > MAX_RESUMES ? "too-many-resumes" : "too-many-subscriptions";
      }
    },
    async unsubscribe(connectionId, { kind, id }, nowMs) {
      await client.send(
        new UpdateItemCommand({
          TableName: await table(),
          Key: Key(connectionId),
          UpdateExpression: `${KEEP} DELETE #set :id`,
          ExpressionAttributeNames: names(kind),
          ExpressionAttributeValues: { ":id": { SS: [id] }, ":expiresAt": expiry(nowMs) },
        }),
      );
    },
  };
}

/** The update creates an item that does not exist; with its expiry, DynamoDB deletes it again. */
const KEEP = "SET #expiresAt = if_not_exists(#expiresAt, :expiresAt)";

function names(kind: Subscription["kind"]): Record<string, string> {
  return { "#set": connectionAttributes[kind], "#expiresAt": connectionAttributes.expiresAt };
}

function expiry(nowMs: number): { N: string } {
  return { N: String(Math.ceil((nowMs + CONNECTION_LIFE_MS) / 1_000)) };
}

/** Why nothing of a kind can be subscribed to where these pipelines run; null where it can. */
export function notHere(kind: Subscription["kind"], running: readonly PipelineName[]): string | null {
  return kind === "symbols" && !running.includes("market") ? "the market does not run in this environment" : null;
}
