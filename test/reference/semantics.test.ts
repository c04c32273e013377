import { describe, expect, test } from "@jest/globals";
import type { Semantics } from "../../domain/semantics.ts";
import { line } from "./describe.ts";
import type { LogRecord, Run } from "./log.ts";
import { productRun } from "./product.ts";
import { referenceRun } from "./reference.ts";
import { rules } from "./rules/index.ts";
import { exampleSettings, numbered } from "./rules/rule.ts";

type RunOf = (log: readonly LogRecord[], settings: Semantics, flush: boolean) => Run | Promise<Run>;

const runs: { who: string; run: RunOf }[] = [
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
