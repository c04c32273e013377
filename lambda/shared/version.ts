import manifest from "../../package.json" with { type: "json" };

/** Version of Millrace. */
export const version: string = manifest.version;
