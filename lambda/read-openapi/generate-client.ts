// `npm run client`: the types of the page's clients, from the OpenAPI documents.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseCommandLine, text } from "../../adapters/command-line.ts";
import { print, runCommand } from "../../adapters/run-command.ts";
import { API_VERSION, operatorRoutes, restRoutes } from "../../domain/api.ts";
import { operatorsDocument } from "../../ops/openapi.ts";
import { openApiDocument } from "./document.ts";

const USAGE = `npm run client -- [--out FOLDER]
Writes the types of the REST API and of the operators' API, from their OpenAPI documents, for the page's clients.
  --out FOLDER  where to (dashboard): api-types.ts and ops-types.ts`;

/**
 * The generator runs in a folder of npm's own: it works with TypeScript 5 alone, whose `tsc` would take the place of
 * this project's.
 */
const GENERATOR = ["openapi-typescript@7.13.0", "typescript@5.9.3"];
const root = join(import.meta.dirname, "..", "..");

const documents: Readonly<Record<string, object>> = {
  "api-types.ts": openApiDocument(API_VERSION, restRoutes, true),
  "ops-types.ts": operatorsDocument({ routes: operatorRoutes, isSigned: true }),
};

await runCommand(async (args) => {
  const { values } = parseCommandLine(args, { usage: USAGE, options: { out: text } });
  const out = resolve(values.out ?? join(root, "dashboard"));
  const folder = mkdtempSync(join(tmpdir(), "millrace-client-"));
  try {
    for (const [name, document] of Object.entries(documents)) {
      const source = join(folder, `${name}.json`);
      writeFileSync(source, JSON.stringify(document));
      const packages = GENERATOR.map((each) => `--package=${each}`);
      const run = ["exec", "--yes", ...packages, "--", "openapi-typescript", source, "--output", join(out, name)];
      execFileSync("npm", run, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
      await print(`${join(out, name)}\n`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
