import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, jest, test } from "@jest/globals";
import { pythonTools } from "../cdk/python.ts";
import { eventually } from "../support/eventually.ts";
import { withPlatform } from "../support/platform.ts";

jest.setTimeout(900_000);
const here = join(import.meta.dirname, "schemathesis");
const tools = pythonTools("schemathesis", "test/lambda/schemathesis/requirements.txt");

/** What is there before the API is asked: lists with items, from which Schemathesis follows the links. */
const lists = ["/sensors", "/sessions", "/dead-letters", "/symbols"];

(tools === undefined ? test.skip : test)("the APIs do what their OpenAPI documents say, and nothing else", async () => {
  const args = ["--market", "--sensors", "3", "--rate", "50", "--faults", "corrupt=0.05"];
  await withPlatform(args, {}, async ({ ports, folder }) => {
    const [api, operators] = [`http://127.0.0.1:${ports.api}`, `http://127.0.0.1:${ports.status}`];
    for (const path of lists)
      await eventually(async () => ((await (await fetch(api + path)).json()) as { items: unknown[] }).items.length, {
        until: (items) => items > 0,
        limitMs: 120_000,
      });
    await holds(api, "/openapi.json", folder);
    // Less than of the public API: each of its answers asks Kafka, or looks for a model.
    await holds(operators, "/ops/openapi.json", folder, "--max-examples", "10");
  });
});

/** Has Schemathesis ask an API whatever its document allows, and much that it does not. */
async function holds(api: string, path: string, folder: string, ...options: readonly string[]): Promise<void> {
  // All checks and phases that Schemathesis has, and each failure; a seed, so that a failure comes again.
  const run = ["-m", "schemathesis.cli", "run", api + path, "--max-examples", "20", ...options];
  const { stdout } = await promisify(execFile)(
    join(tools!, "python"),
    [...run, "--continue-on-failure", "--no-color", "--warnings", "off", "--seed", "1"],
    {
      cwd: folder,
      env: { ...process.env, SCHEMATHESIS_HOOKS: "hooks", PYTHONPATH: here },
      maxBuffer: 16 * 1024 * 1024,
    },
  ).catch((error: Error & { stdout?: string }) => ({ stdout: error.stdout ?? error.message }));
  expect(stdout).toMatch(/No issues found/);
  const tested = /Tested: (\d+)/.exec(stdout)?.[1];
  const { paths } = (await (await fetch(api + path)).json()) as { paths: Record<string, object> };
  expect(Number(tested)).toBe(Object.values(paths).flatMap((methods) => Object.keys(methods)).length);
}
