import { describe, expect, test } from "@jest/globals";
import { line } from "./describe.ts";
import type { Run } from "./log.ts";
import { productRun } from "./product.ts";
import { referenceRun } from "./reference.ts";
import { rules } from "./rules/index.ts";
import { exampleSettings, numbered } from "./rules/rule.ts";

const runs: { who: string; run: (...of: Parameters<typeof referenceRun>) => Run | Promise<Run> }[] = [
  { who: "the naive reference", run: referenceRun },
  { who: "the processor", run: productRun },
  {
    who: "the processor, its state written and read back before each record",
    run: (log, settings, flush) => productRun(log, settings, flush, { settleEvery: 1, restoreEvery: 1 }),
  },
];

describe.each(runs)("$who", ({ run }) => {
  test.each(rules)("$name", async (rule) => {
    const result = await run(numbered(rule.log), { ...exampleSettings, ...rule.settings }, rule.flush ?? false);
    const outputs = result.outputs.filter((output) => rule.about === undefined || rule.about.test(line(output)));
    expect(outputs.map(rule.show ?? line)).toEqual(rule.expected);
    if (rule.duplicates !== undefined && result.duplicates !== undefined)
      expect(result.duplicates).toBe(rule.duplicates);
  });
});
