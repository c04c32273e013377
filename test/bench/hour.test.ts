import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { foldersOf } from "../../bench/hour.ts";

test("the files of each folder are counted with those of folders in it", () => {
  const data = mkdtempSync(join(tmpdir(), "millrace-hour-"));
  mkdirSync(join(data, "lake", "raw", "dt=2026-11-28"), { recursive: true });
  mkdirSync(join(data, "empty"));
  writeFileSync(join(data, "lake", "a"), Buffer.alloc(2 ** 20));
  writeFileSync(join(data, "lake", "raw", "dt=2026-11-28", "b"), Buffer.alloc(2 ** 19));
  writeFileSync(join(data, "file"), "");
  expect(foldersOf(data)).toEqual({ lake: { files: 2, mb: 1.5 }, empty: { files: 0, mb: 0 } });
  rmSync(data, { recursive: true });
});
