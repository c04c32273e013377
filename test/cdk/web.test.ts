import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { dashboardLibraries } from "../../domain/dashboard.ts";
import { root, synthesised } from "./synthesised.ts";

test("the libraries that the page loads are deployed with it, byte for byte", async () => {
  const { folder } = await synthesised("dev");
  for (const { path, file } of dashboardLibraries) {
    const [deployed, ...others] = globSync(join("asset.*", path), { cwd: folder });
    expect(others).toEqual([]);
    expect(readFileSync(join(folder, deployed!)).equals(readFileSync(join(root, "node_modules", file)))).toBe(true);
  }
}, 300_000);
