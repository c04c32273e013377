import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import {
  MongoBulkWriteError,
  MongoClient,
  type AnyBulkWriteOperation,
  type Collection,
  type Db,
  type Document,
} from "mongodb";
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
 * Gives the database, connecting on first use; a failed attempt is made anew on the next. `prepare` runs once per
 * connection, before its first use.
 */
export function mongoDatabase(
  connection: MongoConnection,
  serverSelectionTimeoutMs: number,
  prepare: (db: Db) => Promise<void> = async () => undefined,
): () => Promise<Db> {
  let connecting: Promise<Db> | undefined;
  const open = async (): Promise<Db> => {
    const client = new MongoClient(connection.mongodbUri, {
      appName: "millrace",
      retryWrites: false,
      serverSelectionTimeoutMS: serverSelectionTimeoutMs,
      connectTimeoutMS: serverSelectionTimeoutMs,
      maxPoolSize: 10,
      ...(connection.mongodbCaFile ? { tls: true, tlsCAFile: connection.mongodbCaFile } : {}),
      ...(connection.mongodbSecretArn
        ? { auth: await readSecret(connection.mongodbSecretArn, connection.region) }
        : {}),
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
  const { SecretString } = await new SecretsManagerClient({ region }).send(
    new GetSecretValueCommand({ SecretId: arn }),
  );
  return secret.parse(JSON.parse(SecretString ?? "null"));
}

/** Applies updates whose filters are `_id` alone, in one bulk; where there is no such document, it is made of them. */
export async function bulkUpsert<D extends Document>(
  collection: Collection<D>,
  updates: readonly UpdateOne<D>[],
): Promise<void> {
  await bulk(collection, updates, (update) => ({ updateOne: { ...update, upsert: true } }));
}

/**
 * Inserts documents in one bulk, made of `$set` and `$setOnInsert`; where there is a document of that id, applies the
 * update if the filter takes it, so that an older version never replaces a newer one. An upsert by such a filter would
 * come to the same, but a server that uses an index for equal fields alone, as the local one does, then looks at every
 * document; an insert, which is what most writes are, looks at the index of `_id` everywhere.
 */
export async function bulkInsertOrUpdate<D extends Document>(
  collection: Collection<D>,
  updates: readonly UpdateOne<D>[],
): Promise<void> {
  await bulk(collection, updates, ({ filter, update }) => ({
    insertOne: { document: { _id: filter._id, ...(update["$set"] as object), ...(update["$setOnInsert"] as object) } },
  }));
}

/**
 * What ends as a duplicate key, because the document is there or somebody makes it at this moment, is applied once more
 * as an update alone.
 */
async function bulk<D extends Document>(
  collection: Collection<D>,
  updates: readonly UpdateOne<D>[],
  first: (update: UpdateOne<D>) => object,
): Promise<void> {
  if (updates.length === 0) return;
  const write = (operations: readonly object[]): Promise<unknown> =>
    collection.bulkWrite(operations as AnyBulkWriteOperation<D>[], { ordered: false });
  try {
    await write(updates.map(first));
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    const errors = [error.writeErrors].flat();
    if (errors.length === 0 || errors.some(({ code }) => code !== DUPLICATE_KEY)) throw error;
    await write(errors.map(({ index }) => ({ updateOne: updates[index]! })));
  }
}

export interface UpdateOne<D extends Document> {
  readonly filter: Readonly<Record<string, unknown>> & { readonly _id: D["_id"] };
  readonly update: Readonly<Record<string, unknown>>;
}
