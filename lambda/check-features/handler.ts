import { GetRecordCommand, PutRecordCommand } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { featureStoreClient } from "../shared/feature-store.ts";
import { CANARY, canaryRecord, differences } from "./check.ts";

const settings = readSettings("writeFeatures", process.env);
const logger = createLogger("check-features", settings.logLevel);
const client = featureStoreClient(settings.region, settings.featureStoreEndpoint);

/**
 * Runs on a schedule: writes a record, then an older one, and reads the record back. The older one must not have
 * replaced it.
 *
 * @returns How long the read took
 * @throws Error that lists what differs; the alarm on the function's errors reports it
 */
export async function handler(): Promise<{ readMs: number }> {
  const now = Date.now();
  const marker = now % 1_000_000;
  const expected = canaryRecord(now, marker);
  const put = (Record: typeof expected): Promise<unknown> =>
    client.send(
      new PutRecordCommand({ FeatureGroupName: settings.featureGroup, Record, TargetStores: ["OnlineStore"] }),
    );
  await put(expected);
  await put(canaryRecord(now - 1_000, marker + 1));
  const begun = performance.now();
  const { Record = [] } = await client.send(
    new GetRecordCommand({ FeatureGroupName: settings.featureGroup, RecordIdentifierValueAsString: CANARY }),
  );
  const readMs = Math.round(performance.now() - begun);
  const wrong = differences(expected, Record);
  if (wrong.length > 0) throw new Error(`the online store of ${settings.featureGroup} is wrong: ${wrong.join("; ")}`);
  logger.info({ readMs }, "features are readable");
  return { readMs };
}
