import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { localPorts, type LocalPort } from "../../config/local.ts";
import { portOption, startHelp } from "../../local/options.ts";

const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "local.md"), "utf8");

test("docs/local.md has every port with its default, and no other", () => {
  const documented = [...page.matchAll(/^\| `(--port-[a-z-]+)` \| (\d+) \|/gm)].map(([, option, port]) => [
    option,
    Number(port),
  ]);
  expect(documented).toEqual(Object.entries(localPorts).map(([name, port]) => [portOption(name as LocalPort), port]));
});

test("npm start accepts every option that docs/local.md names", () => {
  const documented = [...page.matchAll(/^\| `(--[a-z-]+)/gm)].map(([, option]) => option!);
  expect(documented.length).toBeGreaterThan(15);
  for (const option of documented) expect(startHelp).toContain(option);
});
