import { globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { bundlePage } from "../../dashboard/build/bundle.ts";
import { synthesised } from "./synthesised.ts";

test("the page is deployed as it is on one machine, byte for byte", async () => {
  const { folder } = await synthesised("dev");
  const page = bundlePage();
  const [deployed, ...others] = globSync(join("asset.*", "app.js"), { cwd: folder });
  expect(others).toEqual([]);
  const asset = join(folder, deployed!, "..");
  expect(readdirSync(asset).sort()).toEqual(readdirSync(page).sort());
  for (const name of readdirSync(page))
    expect(readFileSync(join(asset, name)).equals(readFileSync(join(page, name)))).toBe(true);
}, 300_000);
