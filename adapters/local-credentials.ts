/** What SDK clients sign with towards local endpoints, which check nothing. */
export const localCredentials = { accessKeyId: "local", secretAccessKey: "local" } as const;
