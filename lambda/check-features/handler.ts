import { GetRecordCommand, PutRecordCommand } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { featureGroups, type FeatureGroupSpec } from "../../domain/features.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { featureStoreClient } from "../shared/feature-store.ts";
import { CANARY, canaryRecord, differences } from "./check.ts";

const settings = readSettings("writeFeatures", process.env);
const logger = createLogger("check-features", settings.logLevel);
const client = featureStoreClient(settings.region, settings.featureStoreEndpoint);

const groups = existingWhere<FeatureGroupSpec & { readonly group: string }>(
  [
    { ...featureGroups.sensorWindows, group: settings.featureGroup },
    { ...featureGroups.marketBars, group: settings.marketFeatureGroup },
  ],
  settings.pipelines,
);

/**
 * Runs on a schedule, for each feature group that is there: writes a record, then an older one, and reads the record
 * back. The older one must not have replaced it.
 *
 * @returns How long the slowest read took
 * @throws Error that lists what differs; the alarm on the function's errors reports it
 */
export async function handler(): Promise<{ readMs: number }> {
  const reads = await Promise.all(groups.map(checkGroup));
  const readMs = Math.max(...reads);
  logger.info({ readMs }, "features are readable");
  return { readMs };
}

async function checkGroup({ group, ...spec }: FeatureGroupSpec & { readonly group: string }): Promise<number> {
  const now = Date.now();
  const marker = now % 1_000_000;
  const expected = canaryRecord(spec, now, marker);
  const put = (Record: typeof expected): Promise<unknown> =>
    client.send(new PutRecordCommand({ FeatureGroupName: group, Record, TargetStores: ["OnlineStore"] }));
  await put(expected);
  await put(canaryRecord(spec, now - 1_000, marker + 1));
  const begun = performance.now();
  const { Record = [] } = await client.send(
    new GetRecordCommand({ FeatureGroupName: group, RecordIdentifierValueAsString: CANARY }),
  );
  const readMs = Math.round(performance.now() - begun);
  const wrong = differences(expected, Record);
  if (wrong.length > 0) throw new Error(`the online store of ${group} is wrong: ${wrong.join("; ")}`);
  return readMs;
}
