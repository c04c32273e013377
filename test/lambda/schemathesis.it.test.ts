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

(tools === undefined ? test.skip : test)("the API does what its OpenAPI document says, and nothing else", async () => {
  const args = ["--market", "--sensors", "3", "--rate", "50", "--faults", "corrupt=0.05"];
  await withPlatform(args, {}, async ({ ports, folder }) => {
    const api = `http://127.0.0.1:${ports.api}`;
    for (const path of lists)
      await eventually(async () => ((await (await fetch(api + path)).json()) as { items: unknown[] }).items.length, {
        until: (items) => items > 0,
        limitMs: 120_000,
      });
    // All checks and phases that Schemathesis has, and each failure; a seed, so that a failure comes again.
    const run = ["-m", "schemathesis.cli", "run", `${api}/openapi.json`, "--max-examples", "20"];
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
    const document = (await (await fetch(`${api}/openapi.json`)).json()) as { paths: object };
    expect(Number(tested)).toBe(Object.keys(document.paths).length);
  });
});
