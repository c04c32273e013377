import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { MongoBulkWriteError, MongoClient, type AnyBulkWriteOperation, type Collection, type Db, type Document } from "mongodb";
import { z } from "zod";

/** How to reach MongoDB or DocumentDB. */
export interface MongoConnection {
  readonly mongodbUri: string;
  readonly mongodbDatabase: string;
  readonly mongodbSecretArn: string | undefined;
  readonly mongodbCaFile: string | undefined;
  readonly region: string;
}

const secret = z.object({ username: z.string(), password: z.string() });
const DUPLICATE_KEY = 11_000;

/**
 * Gives the database, connecting on first use; a failed attempt is made anew on the next.
 * `prepare` runs once per connection, before its first use.
 */
export function mongoDatabase(connection: MongoConnection, serverSelectionTimeoutMs: number, prepare: (db: Db) => Promise<void> = async () => undefined): () => Promise<Db> {
  let connecting: Promise<Db> | undefined;
  const open = async (): Promise<Db> => {
    const client = new MongoClient(connection.mongodbUri, {
      appName: "millrace",
      retryWrites: false,
      serverSelectionTimeoutMS: serverSelectionTimeoutMs,
      connectTimeoutMS: serverSelectionTimeoutMs,
      maxPoolSize: 10,
      ...(connection.mongodbCaFile ? { tls: true, tlsCAFile: connection.mongodbCaFile } : {}),
      ...(connection.mongodbSecretArn ? { auth: await readSecret(connection.mongodbSecretArn, connection.region) } : {}),
    });
    try {
      await client.connect();
      const db = client.db(connection.mongodbDatabase);
      await prepare(db);
      return db;
    } catch (error) {
      await client.close().catch(() => undefined);
      throw error;
    }
  };
  return () => {
    connecting ??= open().catch((error: unknown) => {
      connecting = undefined;
      throw error;
    });
    return connecting;
  };
}

async function readSecret(arn: string, region: string): Promise<z.infer<typeof secret>> {
  const { SecretString } = await new SecretsManagerClient({ region }).send(new GetSecretValueCommand({ SecretId: arn }));
  return secret.parse(JSON.parse(SecretString ?? "null"));
}

/**
 * Writes upserts in one bulk. An upsert whose filter excludes an existing document (an older version than the stored
 * one) ends as a duplicate key, as does the loser of two upserts at a time: both are applied once more without upsert,
 * which changes nothing in the first case, and what it should in the second.
 */
export async function bulkUpsert<D extends Document>(collection: Collection<D>, operations: readonly UpdateOne<D>[]): Promise<void> {
  if (operations.length === 0) return;
  const toBulk = (list: readonly UpdateOne<D>[], upsert: boolean): AnyBulkWriteOperation<D>[] => list.map((update) => ({ updateOne: { ...update, upsert } }) as AnyBulkWriteOperation<D>);
  try {
    await collection.bulkWrite(toBulk(operations, true), { ordered: false });
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    const errors = [error.writeErrors].flat();
    if (errors.length === 0 || errors.some(({ code }) => code !== DUPLICATE_KEY)) throw error;
    await collection.bulkWrite(toBulk(errors.map(({ index }) => operations[index]!), false), { ordered: false });
  }
}

export interface UpdateOne<D extends Document> {
  readonly filter: Readonly<Record<string, unknown>> & { readonly _id: D["_id"] };
  readonly update: Readonly<Record<string, unknown>>;
}
