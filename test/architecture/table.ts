/** What the files of one folder may import. */
export interface Folder {
  /** A file belongs to the entry with the longest matching folder. */
  readonly folder: string;
  /** Folders of this table that it may import besides itself. */
  readonly imports: readonly string[];
  /** Packages and `node:` modules; `any` where the folder is a shell around them. */
  readonly packages: readonly string[] | "any";
  /** Whether time and chance come through ports only: no wall clock, no timer, no randomness of its own. */
  readonly deterministic?: true;
}

/** What decides in the processor. It imports pure functions of its packages alone: of `node:crypto` the hashes. */
const pure = { packages: ["zod", "node:crypto", "node:zlib"], deterministic: true } as const;
/** What the shells of the processor may import of its core. */
const core = ["domain", "processor/runtime", "processor/operators", "processor/inference", "processor/pipelines"];

/**
 * Imports go one way: a folder imports only what stands above it in this list. (The linter's `import/no-cycle` holds
 * that there is no circle among the files of a folder.)
 */
export const folders: readonly Folder[] = [
  { folder: "domain", imports: [], packages: ["zod"], deterministic: true },
  { folder: "config", imports: ["domain"], packages: ["zod"], deterministic: true },
  { folder: "config/environments", imports: ["domain", "config"], packages: [], deterministic: true },
  { folder: "adapters", imports: ["domain"], packages: "any" },
  // The page. Of the domain it has types and plain data, so that no schema is in what a browser loads.
  {
    folder: "dashboard",
    imports: ["domain"],
    packages: ["openapi-fetch", "lightweight-charts", "oauth4webapi", "preact", "preact/hooks", "uplot"],
  },
  {
    folder: "dashboard/build",
    imports: [],
    packages: ["node:fs", "node:os", "node:path", "esbuild"],
  },
  { folder: "processor/runtime", imports: ["domain"], ...pure },
  { folder: "processor/operators", imports: ["domain", "processor/runtime"], ...pure },
  { folder: "processor/inference", imports: ["domain", "processor/runtime"], ...pure },
  {
    folder: "processor/pipelines",
    imports: ["domain", "processor/runtime", "processor/operators", "processor/inference"],
    ...pure,
  },
  {
    folder: "processor/engine",
    imports: ["domain", "processor/runtime"],
    packages: ["node:util", "node:zlib"],
    deterministic: true,
  },
  { folder: "processor/adapters", imports: [...core, "adapters", "processor/engine"], packages: "any" },
  // Tests of pipelines: the engine's task on its real ports, without a program around it.
  {
    folder: "processor/driver",
    imports: ["domain", "adapters", "processor/runtime", "processor/engine", "processor/adapters"],
    packages: "any",
  },
  { folder: "lambda/shared", imports: ["domain", "config", "adapters", "."], packages: "any" },
  // What a lake holds, and how it is asked: a run of backfill is a lake of its own.
  { folder: "lambda/write-lake", imports: ["domain", "config", "adapters", "lambda/shared"], packages: "any" },
  // What a store holds: a run of backfill fills collections of its own in the same way.
  { folder: "lambda/store-sessions", imports: ["domain", "config", "adapters", "lambda/shared"], packages: "any" },
  { folder: "lambda/store-windows", imports: ["domain", "config", "adapters", "lambda/shared"], packages: "any" },
  { folder: "local/lake", imports: ["domain"], packages: "any" },
  {
    folder: "processor/commands",
    imports: [
      ...core,
      "config",
      "adapters",
      "processor/engine",
      "processor/adapters",
      "lambda/shared",
      "lambda/write-lake",
      "lambda/store-sessions",
      "lambda/store-windows",
      "local/lake",
    ],
    packages: "any",
  },
  // main.ts alone.
  {
    folder: "processor",
    imports: [...core, "config", "adapters", "processor/engine", "processor/adapters"],
    packages: "any",
  },
  // The operators' API, for `npm start` and for the functions.
  { folder: "ops", imports: ["domain", "adapters", "processor/adapters", "processor/commands"], packages: "any" },
  { folder: "bridge", imports: ["domain", "config", "adapters"], packages: "any" },
  { folder: "live", imports: ["domain", "config", "adapters"], packages: "any" },
  // What is made from a seed, for the simulator and for the function that generates trades.
  { folder: "simulator/synthetic", imports: ["domain"], ...pure },
  {
    folder: "lambda",
    imports: ["domain", "config", "adapters", "ops", "simulator/synthetic", "lambda/shared"],
    packages: "any",
  },
  { folder: "simulator", imports: ["domain", "config", "adapters", "simulator/synthetic"], packages: "any" },
  // Reaches program code by file path, to bundle it.
  { folder: "lib", imports: ["config"], packages: "any" },
  // For any stack: nothing of this project, its config least of all.
  { folder: "lib/reusable", imports: [], packages: ["aws-cdk-lib", "constructs"] },
  { folder: "lib/constructs", imports: ["domain", "config", "lib", "lib/reusable"], packages: "any" },
  {
    folder: "lib/stacks",
    imports: ["domain", "config", "lib", "lib/reusable", "lib/constructs", "dashboard/build"],
    packages: "any",
  },
  {
    folder: "lib/monitoring",
    imports: ["domain", "config", "lib", "lib/reusable", "lib/constructs", "lib/stacks"],
    packages: "any",
  },
  {
    folder: "lib/platform",
    imports: ["config", "lib/reusable", "lib/constructs", "lib/stacks", "lib/monitoring"],
    packages: "any",
  },
  { folder: "lib/cost", imports: ["domain", "config", "lib", "lib/platform"], packages: "any" },
  { folder: "lib/preflight", imports: ["domain", "config", "lib", "lib/cost"], packages: "any" },
  { folder: "lib/on-aws", imports: ["domain", "config", "adapters", "lib"], packages: "any" },
  { folder: "lib/smoke", imports: ["domain", "config", "adapters", "lib", "lib/on-aws"], packages: "any" },
  { folder: "lib/delivery", imports: ["domain", "config", "lib"], packages: ["node:path"] },
  {
    folder: "bin",
    imports: [
      "config/environments",
      "adapters",
      "lib",
      "lib/platform",
      "lib/cost",
      "lib/preflight",
      "lib/smoke",
      "lib/delivery",
      "lib/on-aws",
    ],
    packages: "any",
  },
  { folder: "local/processes", imports: ["domain", "config"], packages: "any" },
  { folder: "local/servers", imports: ["domain", "config", "adapters", "local/processes"], packages: "any" },
  { folder: "local/lambda", imports: ["domain"], packages: "any" },
  { folder: "local/prometheus", imports: ["domain", "config", "adapters"], packages: "any" },
  // The local endpoints: what they share, then each.
  { folder: "local/aws", imports: ["domain", "config"], packages: "any" },
  { folder: "local/event-source", imports: ["domain", "config", "adapters", "local/lambda"], packages: "any" },
  { folder: "local/events", imports: ["domain", "config", "adapters", "local/lambda", "local/aws"], packages: "any" },
  { folder: "local/features", imports: ["domain", "config", "adapters", "local/aws"], packages: "any" },
  { folder: "local/firehose", imports: ["domain", "config", "adapters", "local/aws", "local/lake"], packages: "any" },
  {
    folder: "local/gateway",
    imports: ["domain", "config", "adapters", "local/aws", "local/lambda", "dashboard/build"],
    packages: "any",
  },
  // Runs everything; what a program is put together from, it may put together, too.
  {
    folder: "local",
    imports: [
      "domain",
      "config",
      "adapters",
      "processor/commands",
      "processor/adapters",
      "ops",
      "simulator",
      "lambda/shared",
      "local/processes",
      "local/servers",
      "local/lake",
    ],
    packages: "any",
  },
  {
    folder: "models",
    imports: [...core, "adapters", "processor/adapters", "processor/commands", "simulator"],
    packages: "any",
  },
  {
    folder: "bench",
    imports: [
      "domain",
      "config",
      "adapters",
      "live",
      "local",
      "local/processes",
      "local/servers",
      "local/event-source",
      "local/lambda",
      "processor/runtime",
      "processor/adapters",
    ],
    packages: "any",
  },
  {
    folder: "examples",
    imports: ["lib/reusable"],
    packages: ["node:timers/promises", "@aws-sdk/client-eventbridge", "aws-cdk-lib", "aws-iot-device-sdk-v2"],
  },
];
