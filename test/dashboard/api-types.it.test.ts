import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";

const root = join(import.meta.dirname, "..", "..");

test("the types of the page's clients are those of the OpenAPI documents: npm run client renews them", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-types-"));
  try {
    const program = join(root, "lambda", "read-openapi", "generate-client.ts");
    await promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", program, "--out", folder]);
    for (const name of ["api-types.ts", "ops-types.ts"]) {
      const committed = readFileSync(join(root, "dashboard", name), "utf8");
      expect([name, readFileSync(join(folder, name), "utf8") === committed]).toEqual([name, true]);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 300_000);
