import { SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { localCredentials } from "../../adapters/local-credentials.ts";

/** A client of the Feature Store runtime. `endpoint`: a local one instead of the region's. */
export function featureStoreClient(region: string, endpoint: string | undefined): SageMakerFeatureStoreRuntimeClient {
  return new SageMakerFeatureStoreRuntimeClient({
    region,
    maxAttempts: 3,
    ...(endpoint ? { endpoint, credentials: localCredentials } : {}),
  });
}
