import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import {
  MongoBulkWriteError,
  MongoClient,
  MongoServerError,
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
const AUTHENTICATION_FAILED = 18;

/** Runs `use` with the database: what `use` does may be done again from its beginning. */
export type WithDatabase = <T>(use: (db: Db) => Promise<T>) => Promise<T>;

/**
 * Returns a function that lends the database. It connects on its first call, and again on the call after a failure.
 * `prepare` runs once per client, before it is used.
 *
 * A client holds the password that it was made with, and needs it for each new connection of its pool. Where the
 * password has been rotated, the server answers with error 18 (AuthenticationFailed): the client is closed, the secret
 * is read again, and `use` runs once more. A second error 18 goes to the caller.
 */
export function mongoDatabase(
  connection: MongoConnection,
  serverSelectionTimeoutMs: number,
  prepare: (db: Db) => Promise<void> = async () => undefined,
): WithDatabase {
  let connecting: Promise<MongoClient> | undefined;
  const open = async (): Promise<MongoClient> => {
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
      await prepare(client.db(connection.mongodbDatabase));
      return client;
    } catch (error) {
      await client.close().catch(() => undefined);
      throw error;
    }
  };
  const connect = (): Promise<MongoClient> =>
    (connecting ??= open().catch((error: unknown) => {
      connecting = undefined;
      throw error;
    }));
  return async (use) => {
    const connected = connect();
    const attempt = async (client: Promise<MongoClient>): ReturnType<typeof use> =>
      use((await client).db(connection.mongodbDatabase));
    try {
      return await attempt(connected);
    } catch (error) {
      if (!(error instanceof MongoServerError && error.code === AUTHENTICATION_FAILED)) throw error;
      // Of several calls that fail at once, the first closes the client, and all use the next one.
      if (connecting === connected) connecting = undefined;
      await connected.then((client) => client.close()).catch(() => undefined);
      return attempt(connect());
    }
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
