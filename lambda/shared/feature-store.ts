import { SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { localCredentials } from "../../adapters/local-credentials.ts";

/** Client of the Feature Store runtime; `endpoint` is a local one instead of the region's own. */
export function featureStoreClient(region: string, endpoint: string | undefined): SageMakerFeatureStoreRuntimeClient {
  return new SageMakerFeatureStoreRuntimeClient({
    region,
    maxAttempts: 3,
    ...(endpoint ? { endpoint, credentials: localCredentials } : {}),
  });
}
