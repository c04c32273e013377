// `npm run client`: the types of the page's client, from the OpenAPI document.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCommandLine, text } from "../../adapters/command-line.ts";
import { print, runCommand } from "../../adapters/run-command.ts";
import { API_VERSION, restRoutes } from "../../domain/api.ts";
import { openApiDocument } from "./document.ts";

const USAGE = `npm run client -- [--out FILE]
Writes the types of the REST API, from its OpenAPI document, for the page's client.
  --out FILE  where to (dashboard/api-types.ts)`;

/**
 * The generator runs in a folder of npm's own: it works with TypeScript 5 alone, whose `tsc` would take the place of
 * this project's.
 */
const GENERATOR = ["openapi-typescript@7.13.0", "typescript@5.9.3"];
const root = join(import.meta.dirname, "..", "..");

await runCommand(async (args) => {
  const { values } = parseCommandLine(args, { usage: USAGE, options: { out: text } });
  const out = values.out ?? join(root, "dashboard", "api-types.ts");
  const folder = mkdtempSync(join(tmpdir(), "millrace-client-"));
  try {
    const document = join(folder, "openapi.json");
    writeFileSync(document, JSON.stringify(openApiDocument(API_VERSION, restRoutes)));
    const packages = GENERATOR.map((name) => `--package=${name}`);
    const run = ["exec", "--yes", ...packages, "--", "openapi-typescript", document, "--output", out];
    execFileSync("npm", run, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
    await print(`${out}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
