import { describe, expect, test } from "@jest/globals";
import { line } from "./describe.ts";
import { referenceRun } from "./reference.ts";
import { rules } from "./rules/index.ts";
import { exampleSettings, numbered } from "./rules/rule.ts";

describe.each([{ who: "the naive reference", run: referenceRun }])("$who", ({ run }) => {
  test.each(rules)("$name", (rule) => {
    const result = run(numbered(rule.log), { ...exampleSettings, ...rule.settings }, rule.flush ?? false);
    const outputs = result.outputs.filter((output) => rule.about === undefined || rule.about.test(line(output)));
    expect(outputs.map(rule.show ?? line)).toEqual(rule.expected);
    if (rule.duplicates !== undefined) expect(result.duplicates).toBe(rule.duplicates);
  });
});
