import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { Hono, type Context } from "hono";
import type { Logger } from "../../adapters/log.ts";
import { parseBody } from "../aws/json-protocol.ts";
import { listen } from "../aws/listen.ts";
import { ServiceError } from "../aws/service-error.ts";
import { CATALOG, DATABASE, OfflineStore, tableName } from "./offline-store.ts";
import { Queries } from "./queries.ts";
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

/** What the endpoint stores: opened when its port is its own. */
interface Stores {
  readonly online: OnlineStore;
  readonly offline: OfflineStore;
}

/**
 * Starts the Feature Store endpoint: the runtime's operations (REST-JSON protocol), SageMaker's description of a group,
 * and Athena's queries of the offline stores (both AWS JSON 1.1).
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
  let opened: (stores: Stores) => void = () => {};
  const ready = new Promise<Stores>((resolve) => {
    opened = resolve;
  });
  const startedMs = Date.now();
  const queries = new Queries();
  const app = new Hono();

  app.put(GROUP_PATH, async (context) => {
    const group = findGroup(context.req.param("name"));
    const body = await bodyOf(context);
    const { identifier, eventTimeMs, values } = checkRecord(group, body["Record"]);
    const expiresAtMs = expiryOf(eventTimeMs, body["TtlDuration"]);
    const targets = body["TargetStores"] as string[] | undefined;
    const { online, offline } = await ready;
    if (addresses(targets, "OnlineStore")) online.put(group.name, identifier, eventTimeMs, values, expiresAtMs);
    if (addresses(targets, "OfflineStore")) offline.append(group.name, values, Date.now(), false);
    return context.body(null, 200);
  });
  app.get(GROUP_PATH, async (context) => {
    const group = findGroup(context.req.param("name"));
    const found = (await ready).online.get(group.name, required(context, "RecordIdentifierValueAsString"), Date.now());
    const withExpiry = context.req.query("ExpirationTimeResponse") === "Enabled";
    return context.json(found ? present(group, found, context.req.queries("FeatureName"), withExpiry) : {});
  });
  app.delete(GROUP_PATH, async (context) => {
    const group = findGroup(context.req.param("name"));
    const identifier = required(context, "RecordIdentifierValueAsString");
    const eventTime = required(context, "EventTime");
    const eventTimeMs = parseEventTime(group, eventTime);
    const mode = context.req.query("DeletionMode") ?? "SoftDelete";
    if (mode !== "HardDelete" && mode !== "SoftDelete")
      throw invalid(`DeletionMode must be SoftDelete or HardDelete, received ${JSON.stringify(mode)}`);
    const targets = context.req.queries("TargetStores");
    const { online, offline } = await ready;
    if (addresses(targets, "OnlineStore")) {
      // https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_feature_store_DeleteRecord.html
      if (mode === "HardDelete" && !online.remove(group.name, identifier, eventTimeMs))
        throw invalid(`EventTime ${eventTime} is not later than that of the record ${identifier}`);
      if (mode === "SoftDelete") online.put(group.name, identifier, eventTimeMs, null, null);
    }
    if (addresses(targets, "OfflineStore")) {
      const values = [
        { FeatureName: group.recordIdentifier, ValueAsString: identifier },
        { FeatureName: group.eventTime, ValueAsString: eventTime },
      ];
      offline.append(group.name, values, Date.now(), true);
    }
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
          const found = (await ready).online.get(group.name, RecordIdentifierValueAsString, Date.now());
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
  app.post("/", async (context) => {
    const [service, operation = ""] = (context.req.header("x-amz-target") ?? "").split(".");
    const body = parseBody(await context.req.text());
    if (service === "SageMaker" && operation === "DescribeFeatureGroup")
      return context.json(describe(findGroup(String(body["FeatureGroupName"])), startedMs));
    const query = service === "AmazonAthena" ? queries.operations[operation] : undefined;
    if (!query) throw new ServiceError("UnknownOperationException", 400, "there is no such operation here");
    return context.json(query(body, (await ready).offline));
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
  const stores = {
    online: new OnlineStore(options.dataDir),
    offline: new OfflineStore(options.dataDir, options.groups),
  };
  opened(stores);
  return {
    port,
    close: async () => {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeIdleConnections();
      });
      stores.online.close();
      stores.offline.close();
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
const addresses = (targets: readonly string[] | undefined, store: "OnlineStore" | "OfflineStore"): boolean =>
  targets === undefined || targets.length === 0 || targets.includes(store);

/** The answer of `DescribeFeatureGroup`, as far as a group here has what the service tells. */
function describe(group: FeatureGroup, createdMs: number): object {
  return {
    FeatureGroupArn: `arn:aws:sagemaker:us-east-1:000000000000:feature-group/${group.name}`,
    FeatureGroupName: group.name,
    RecordIdentifierFeatureName: group.recordIdentifier,
    EventTimeFeatureName: group.eventTime,
    FeatureDefinitions: group.features.map(({ name, type }) => ({ FeatureName: name, FeatureType: type })),
    CreationTime: createdMs / 1_000,
    OnlineStoreConfig: { EnableOnlineStore: true },
    OfflineStoreConfig: {
      S3StorageConfig: { S3Uri: "s3://local/features" },
      DataCatalogConfig: { Catalog: CATALOG, Database: DATABASE, TableName: tableName(group.name) },
    },
    FeatureGroupStatus: "Created",
    OfflineStoreStatus: { Status: "Active" },
    NextToken: "",
  };
}

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
