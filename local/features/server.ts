import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { Hono, type Context } from "hono";
import type { Logger } from "../../adapters/log.ts";
import { listen } from "../aws/listen.ts";
import { ServiceError } from "../aws/service-error.ts";
import { checkRecord, expiryOf, invalid, parseEventTime, type FeatureGroup, type FeatureValue } from "./records.ts";
import { OnlineStore, type StoredRecord } from "./store.ts";

export interface FeatureStoreOptions {
  readonly port: number;
  readonly dataDir: string;
  readonly groups: readonly FeatureGroup[];
  readonly log: Logger;
}

const MAX_BATCH = 100;
const GROUP_PATH = "/FeatureGroup/:name";

/**
 * Starts the Feature Store runtime endpoint (REST-JSON protocol). It has an online store, but no offline store.
 *
 * @throws MillraceError `port-taken`
 */
export async function startFeatureStore(
  options: FeatureStoreOptions,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const groups = new Map(options.groups.map((group) => [group.name, group]));
  const findGroup = (name: string): FeatureGroup => {
    const group = groups.get(name);
    if (!group) throw new ServiceError("ResourceNotFound", 404, `Feature group with name: [${name}] not found.`);
    return group;
  };
  let opened: (store: OnlineStore) => void = () => {};
  const ready = new Promise<OnlineStore>((resolve) => {
    opened = resolve;
  });
  const app = new Hono();

  app.put(GROUP_PATH, async (context) => {
    const group = findGroup(context.req.param("name"));
    const body = await bodyOf(context);
    const { identifier, eventTimeMs, values } = checkRecord(group, body["Record"]);
    const expiresAtMs = expiryOf(eventTimeMs, body["TtlDuration"]);
    if (isOnline(body["TargetStores"] as string[] | undefined))
      (await ready).put(group.name, identifier, eventTimeMs, values, expiresAtMs);
    return context.body(null, 200);
  });
  app.get(GROUP_PATH, async (context) => {
    const group = findGroup(context.req.param("name"));
    const found = (await ready).get(group.name, required(context, "RecordIdentifierValueAsString"), Date.now());
    const withExpiry = context.req.query("ExpirationTimeResponse") === "Enabled";
    return context.json(found ? present(group, found, context.req.queries("FeatureName"), withExpiry) : {});
  });
  app.delete(GROUP_PATH, async (context) => {
    const group = findGroup(context.req.param("name"));
    const identifier = required(context, "RecordIdentifierValueAsString");
    const eventTimeMs = parseEventTime(group, required(context, "EventTime"));
    const mode = context.req.query("DeletionMode") ?? "SoftDelete";
    if (!isOnline(context.req.queries("TargetStores"))) return context.body(null, 200);
    if (mode === "HardDelete") (await ready).remove(group.name, identifier, eventTimeMs);
    else if (mode === "SoftDelete") (await ready).put(group.name, identifier, eventTimeMs, null, null);
    else throw invalid(`DeletionMode must be SoftDelete or HardDelete, received ${JSON.stringify(mode)}`);
    return context.body(null, 200);
  });
  app.post("/BatchGetRecord", async (context) => {
    const body = await bodyOf(context);
    const identifiers = body["Identifiers"] as
      | { FeatureGroupName: string; RecordIdentifiersValueAsString: string[]; FeatureNames?: string[] }[]
      | undefined;
    if (!Array.isArray(identifiers) || identifiers.length < 1 || identifiers.length > MAX_BATCH)
      throw invalid(`Identifiers must have 1 to ${MAX_BATCH} members`);
    const records: unknown[] = [];
    const errors: unknown[] = [];
    for (const { FeatureGroupName, RecordIdentifiersValueAsString = [], FeatureNames } of identifiers) {
      if (RecordIdentifiersValueAsString.length < 1 || RecordIdentifiersValueAsString.length > MAX_BATCH)
        throw invalid(`RecordIdentifiersValueAsString must have 1 to ${MAX_BATCH} members`);
      for (const RecordIdentifierValueAsString of RecordIdentifiersValueAsString) {
        try {
          const group = findGroup(FeatureGroupName);
          const found = (await ready).get(group.name, RecordIdentifierValueAsString, Date.now());
          if (found)
            records.push({
              FeatureGroupName,
              RecordIdentifierValueAsString,
              ...present(group, found, FeatureNames, body["ExpirationTimeResponse"] === "Enabled"),
            });
        } catch (error) {
          if (!(error instanceof ServiceError)) throw error;
          errors.push({
            FeatureGroupName,
            RecordIdentifierValueAsString,
            ErrorCode: error.type,
            ErrorMessage: error.message,
          });
        }
      }
    }
    return context.json({ Records: records, Errors: errors, UnprocessedIdentifiers: [] });
  });
  app.notFound(() =>
    new ServiceError("UnknownOperationException", 404, "there is no such operation here").toResponse(),
  );
  app.onError((error) => {
    if (error instanceof ServiceError) return error.toResponse();
    options.log.error({ err: error }, "a call failed");
    return new ServiceError("InternalFailure", 500, "the request failed because of an internal error").toResponse();
  });

  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  const port = await listen(server, options.port);
  const store = new OnlineStore(options.dataDir);
  opened(store);
  return {
    port,
    close: async () => {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeIdleConnections();
      });
      store.close();
    },
  };
}

async function bodyOf(context: Context): Promise<Record<string, unknown>> {
  try {
    return (await context.req.json()) as Record<string, unknown>;
  } catch (cause) {
    throw new ServiceError("SerializationException", 400, "the body is not JSON", { cause });
  }
}

function required(context: Context, name: string): string {
  const value = context.req.query(name);
  if (!value) throw invalid(`${name} is missing`);
  return value;
}

/** A call without target stores addresses both stores. */
const isOnline = (targets: readonly string[] | undefined): boolean =>
  targets === undefined || targets.length === 0 || targets.includes("OnlineStore");

function present(
  group: FeatureGroup,
  { values, expiresAtMs }: StoredRecord,
  names: readonly string[] | undefined,
  withExpiry: boolean,
): { Record: readonly FeatureValue[]; ExpiresAt?: string } {
  const unknown = names?.find((name) => !group.features.some((feature) => feature.name === name));
  if (unknown !== undefined) throw invalid(`Feature name [${unknown}] is not in feature group ${group.name}`);
  const selected = names && names.length > 0 ? values.filter(({ FeatureName }) => names.includes(FeatureName)) : values;
  return {
    Record: selected,
    ...(withExpiry && expiresAtMs !== null ? { ExpiresAt: new Date(expiresAtMs).toISOString() } : {}),
  };
}
