import { expect, test } from "@jest/globals";
import { defaultSemantics, semanticsProblems } from "../../domain/semantics.ts";

test("settings by which a sensor would keep too many windows are refused", () => {
  const most = { ...defaultSemantics, windowMs: 100, slideMs: 10, allowedLatenessMs: 999_900, expiryMs: 1_000_000 };
  expect(semanticsProblems(most)).toEqual([]);
  expect(semanticsProblems({ ...most, allowedLatenessMs: 999_910 })).toEqual([
    "allowedLatenessMs is 999910 and slideMs 10: a sensor would keep 100001 windows; 100000 are allowed",
  ]);
});

test("settings by which a reading would be in too many windows are refused", () => {
  expect(semanticsProblems({ ...defaultSemantics, windowMs: 1_010, slideMs: 10 })).toEqual([
    "windowMs is 1010 and slideMs 10: a reading would be in 101 windows; 100 are allowed",
  ]);
});
