import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  PutItemCommand,
  UpdateItemCommand,
  type DynamoDBClient,
} from "@aws-sdk/client-dynamodb";
import { MAX_SUBSCRIPTIONS } from "../../domain/api.ts";
import type { PipelineName } from "../../domain/pipelines.ts";
import { connectionAttributes, CONNECTION_LIFE_MS, ensureConnectionsTable } from "./connections-table.ts";

/** A sensor, a session or a symbol whose data a connection gets. */
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
  /** Adds or removes a subscription. `false`: the connection has `MAX_SUBSCRIPTIONS` of that kind. */
  change(
    connectionId: string,
    action: "subscribe" | "unsubscribe",
    subscription: Subscription,
    nowMs: number,
  ): Promise<boolean>;
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
    async change(connectionId, action, { kind, id }, nowMs) {
      const adding = action === "subscribe";
      try {
        await client.send(
          new UpdateItemCommand({
            TableName: await table(),
            Key: Key(connectionId),
            // The update creates an item that does not exist; with its expiry, DynamoDB deletes it again.
            UpdateExpression:
              "SET #expiresAt = if_not_exists(#expiresAt, :expiresAt) " + `${adding ? "ADD" : "DELETE"} #set :id`,
            ...(adding
              ? { ConditionExpression: "attribute_not_exists(#set) OR contains(#set, :one) OR size(#set) < :max" }
              : {}),
            ExpressionAttributeNames: {
              "#set": connectionAttributes[kind],
              "#expiresAt": connectionAttributes.expiresAt,
            },
            ExpressionAttributeValues: {
              ":id": { SS: [id] },
              ":expiresAt": expiry(nowMs),
              ...(adding ? { ":one": { S: id }, ":max": { N: String(MAX_SUBSCRIPTIONS) } } : {}),
            },
          }),
        );
        return true;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return false;
        throw error;
      }
    },
  };
}

function expiry(nowMs: number): { N: string } {
  return { N: String(Math.ceil((nowMs + CONNECTION_LIFE_MS) / 1_000)) };
}

/** Why nothing of a kind can be subscribed to where these pipelines run; null where it can. */
export function notHere(kind: Subscription["kind"], running: readonly PipelineName[]): string | null {
  return kind === "symbols" && !running.includes("market") ? "the market does not run in this environment" : null;
}
