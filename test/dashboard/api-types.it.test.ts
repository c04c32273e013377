import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";

const root = join(import.meta.dirname, "..", "..");

test("the types of the page's client are those of the OpenAPI document: npm run client renews them", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-types-"));
  try {
    const out = join(folder, "types.ts");
    const program = join(root, "lambda", "read-openapi", "generate-client.ts");
    await promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", program, "--out", out]);
    const committed = readFileSync(join(root, "dashboard", "api-types.ts"), "utf8");
    expect(readFileSync(out, "utf8") === committed).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 300_000);
