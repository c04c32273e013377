import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { comparisonProblem } from "../../bench/compare.ts";
import { otherVersion } from "../../bench/versions.ts";

describe("comparison of versions", () => {
  it("runs the clone in a folder, with its own arguments of Node.js", async () => {
    const root = join(import.meta.dirname, "..", "..");
    const version = await otherVersion(root);
    expect(version.root).toBe(root);
    expect(version.nodeArguments).toContain("--max-semi-space-size=4");
  });

  it("refuses what git does not know", async () => {
    await expect(otherVersion("no-such-revision")).rejects.toThrow(/no-such-revision/);
  });

  it("names the scenarios that it can't run", () => {
    expect(comparisonProblem(["windows", "market"])).toBeUndefined();
    expect(comparisonProblem(["state", "packed", "hour"])).toBe(
      "--compare does not run state, hour: expected windows, packed, all, market",
    );
  });
});
