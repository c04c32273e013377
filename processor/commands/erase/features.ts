import {
  DeleteRecordCommand,
  GetRecordCommand,
  type SageMakerFeatureStoreRuntimeClient,
} from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { EVENT_TIME_FEATURE, featureGroups } from "../../../domain/features.ts";
import type { OfflineStores } from "../../../lambda/shared/offline-stores.ts";

/** Deletes a sensor's record from the online store, and its rows from the offline store. */
export async function eraseFeatures(
  online: SageMakerFeatureStoreRuntimeClient,
  offline: OfflineStores,
  FeatureGroupName: string,
  sensorId: string,
): Promise<{ readonly online: number; readonly offline: number }> {
  const record = { FeatureGroupName, RecordIdentifierValueAsString: sensorId };
  const { Record } = await online.send(new GetRecordCommand(record));
  const EventTime = Record?.find(({ FeatureName }) => FeatureName === EVENT_TIME_FEATURE)?.ValueAsString;
  // Of the online store alone: a deletion in both appends a row with the identifier to the offline one. Its event time
  // has to be later than the record's (API reference, DeleteRecord).
  if (EventTime !== undefined)
    await online.send(
      new DeleteRecordCommand({
        ...record,
        EventTime: (Number(EventTime) + 0.001).toFixed(6),
        DeletionMode: "HardDelete",
        TargetStores: ["OnlineStore"],
      }),
    );
  return {
    online: EventTime === undefined ? 0 : 1,
    offline: await offline.erase(FeatureGroupName, featureGroups.sensorWindows, sensorId),
  };
}
