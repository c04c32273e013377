import type { StateStack } from "./state.ts";

/**
 * Lambda's own bundle of Amazon's certificate authorities, DocumentDB's among them. Since Node 20 the runtime does not
 * load it by itself.
 */
const LAMBDA_CA_FILE = "/var/runtime/ca-cert.pem";

/** Settings by which a function reaches the document database. */
export interface DocumentSettings {
  readonly mongodbUri: string;
  readonly mongodbDatabase: string;
  readonly mongodbSecretArn: string;
  readonly mongodbCaFile: string;
}

export function documentSettings({ documents, documentsSecret }: StateStack): DocumentSettings {
  const options = "tls=true&replicaSet=rs0&readPreference=secondaryPreferred&retryWrites=false";
  return {
    mongodbUri: `mongodb://${documents.clusterEndpoint.socketAddress}/?${options}`,
    mongodbDatabase: "millrace",
    mongodbSecretArn: documentsSecret.secretArn,
    mongodbCaFile: LAMBDA_CA_FILE,
  };
}
