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
 * Returns a function that gives the database. The function connects on its first call, and again on the call after a
 * failure. `prepare` runs once per connection, before it is used.
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

/** Applies updates that filter by `_id` alone, as one bulk. An update creates its document if there is none. */
export async function bulkUpsert<D extends Document>(
  collection: Collection<D>,
  updates: readonly UpdateOne<D>[],
): Promise<void> {
  await bulk(collection, updates, (update) => ({ updateOne: { ...update, upsert: true } }));
}

/**
 * Inserts the documents that updates describe (`$set` and `$setOnInsert`), as one bulk. If a document of that id
 * exists, the update is applied if its filter matches, so an older version never replaces a newer one.
 *
 * An upsert with the same filter would give the same result. But the local server uses an index only for conditions of
 * equality, and would read every document. An insert, which most writes are, uses the index of `_id` everywhere.
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
 * Writes `first` of each update. Those that fail with a duplicate key are applied once more as plain updates: the
 * document exists, or another writer has just created it.
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

/** One update of the document with the filter's `_id`. */
export interface UpdateOne<D extends Document> {
  readonly filter: Readonly<Record<string, unknown>> & { readonly _id: D["_id"] };
  readonly update: Readonly<Record<string, unknown>>;
}
