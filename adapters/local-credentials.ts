/** Credentials for SDK clients of local endpoints, which do not check the signature. */
export const localCredentials = { accessKeyId: "local", secretAccessKey: "local" } as const;
