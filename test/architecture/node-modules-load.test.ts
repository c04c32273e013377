import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, jest, test } from "@jest/globals";

jest.setTimeout(120_000);

/** Folders of what Node runs as it is. */
const PROGRAMS = "{adapters,bridge,config,domain,lambda,live,local,processor,simulator}/**/*.ts";

test("Node itself loads every module: it finds fewer exports in CommonJS packages than Jest does", async () => {
  const root = join(import.meta.dirname, "..", "..");
  // A command does its work when it is loaded.
  const isCommand = (path: string): boolean => /^(await )?runCommand\(/m.test(readFileSync(join(root, path), "utf8"));
  const modules = globSync(PROGRAMS, { cwd: root }).filter((path) => !path.endsWith("main.ts") && !isCommand(path));
  expect(modules.length).toBeGreaterThan(200);
  const script = `for (const path of ${JSON.stringify(modules)})
    await import("./" + path).catch((error) => {
      if (error instanceof SyntaxError) console.log(path + ": " + error.message);
    });
  process.exit(0);`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", script],
    { cwd: root },
  );
  expect(stdout).toBe("");
});
