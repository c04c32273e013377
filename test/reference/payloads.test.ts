import { test } from "@jest/globals";
import fc from "fast-check";
import type { DeadLetterCode } from "../../domain/errors.ts";
import { topics } from "../../domain/topics.ts";
import { difference } from "./compare.ts";
import type { LogRecord, Output, Run } from "./log.ts";
import { payloads } from "./payloads.ts";
import { productRun } from "./product.ts";
import { holds, PROPERTY_TIMEOUT_MS } from "./property.ts";
import { referenceRun } from "./reference.ts";
import { data, exampleSettings, numbered, raw } from "./rules/rule.ts";

/** A payload may break the contract in several ways at once: which code is reported is not promised. */
const oneOfMany = new Set<string>(["invalid-message", "out-of-range", "too-many-samples"] satisfies DeadLetterCode[]);

function forgiving(run: Run): Run {
  const forgive = (output: Output): Output => {
    const code = output.headers["error-code"];
    return output.topic === topics.deadLetter.name && code !== undefined && oneOfMany.has(code)
      ? { ...output, headers: { ...output.headers, "error-code": "one of many" } }
      : output;
  };
  return { ...run, outputs: run.outputs.map(forgive) };
}

/** Each payload is for a sensor of its own whose windows are closed: all its readings are output verbatim, as late. */
function log(list: readonly Uint8Array[]): LogRecord[] {
  return numbered(
    list.flatMap((payload, i) => [data(`s${i}`, 0, [1_000_000], { boot: "before" }), raw(`s${i}`, 1_000_000, payload)]),
  );
}

test(
  "JSON is read as JSON.parse reads it, however it is written and wherever it is broken",
  async () => {
    const show = (list: readonly Uint8Array[]): string =>
      list.map((payload) => JSON.stringify(Buffer.from(payload).toString("latin1"))).join("\n");
    await holds(fc.array(payloads, { minLength: 1, maxLength: 30 }), 400, show, async (list) =>
      difference(
        forgiving(referenceRun(log(list), exampleSettings, true)),
        forgiving(await productRun(log(list), exampleSettings, true)),
      ),
    );
  },
  PROPERTY_TIMEOUT_MS,
);
