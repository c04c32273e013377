import { expect, test } from "@jest/globals";
import { SessionOperator } from "../../../processor/operators/session-operator.ts";
import { Reader, Writer } from "../../../processor/runtime/codec.ts";
import { Counters } from "../../../processor/runtime/counters.ts";
import { Emitter } from "../../../processor/runtime/emitter.ts";
import { Generations } from "../../../processor/runtime/generations.ts";
import { KeyedState } from "../../../processor/runtime/keyed-state.ts";
import { Message } from "../../../processor/runtime/message.ts";
import type { StepContext } from "../../../processor/runtime/operator.ts";

const operator = new SessionOperator({
  sessionGapMs: 1_000,
  allowedLatenessMs: 5_000,
  to: "sessions",
  keyField: "key",
  late: { topic: "late", identify: ({ key }: Message) => ({ key }), verbatim: () => ({}) },
  meanWarning: { code: "about-one", column: 0, from: 0.9, to: 1.1 },
});

/** Key and session state of one session from 0 to 100 with one sample, as layout 1 wrote it: without a sum. */
function layoutOne(): Reader {
  const writer = new Writer();
  writer.u32(1);
  writer.f64(0);
  writer.f64(100);
  writer.f64(1);
  writer.u32(0);
  writer.u8(1);
  writer.u32(0);
  writer.u32(0);
  return new Reader(writer.take());
}

/** What an operator has in a step; `settle` gives its outputs. */
function stepContext(): { readonly context: StepContext; readonly settle: () => readonly object[] } {
  const settled: (() => void)[] = [];
  const counters = new Counters();
  const options = { log: "rows", partition: 0, deadLetter: "dead", maxOutputBytes: 900_000, counters };
  const out = new Emitter(options, null);
  const context = {
    out,
    counters,
    generations: new Generations(),
    markChanged: () => undefined,
    whenSettled: (work: () => void) => void settled.push(work),
  };
  const settle = () => {
    for (const work of settled) work();
    return out.take().map(({ value }) => JSON.parse(Buffer.from(value!).toString("utf8")) as object);
  };
  return { context, settle };
}

test("a session that an earlier version began has no warning: the sum of its first samples is not known", () => {
  const sessions = operator.decode(layoutOne(), 1);
  const keyed = new KeyedState("k", 0, null, [sessions]);
  const { context, settle } = stepContext();
  // 2, and 0 for the sample before it, would have the mean 1.
  const message = Object.assign(new Message(1), { key: "k", rows: 1 });
  message.t[0] = 200;
  message.columns[0] = 2;
  operator.apply(sessions, keyed, message, -Infinity, context);
  operator.fire(sessions, keyed, Infinity, 200, "idle", context);
  const [ended] = settle();
  expect(ended).toMatchObject({ type: "ended", end: 200, samples: 2, cause: "idle" });
  expect(ended).not.toHaveProperty("warnings");
});

test("a session's activity has its labels in byte order, whichever was first", () => {
  const sessions = operator.decode(layoutOne(), 1);
  const keyed = new KeyedState("k", 0, null, [sessions]);
  const { context, settle } = stepContext();
  const add = operator.credit(sessions, { start: 0, end: 100 })!;
  for (const [label, seconds] of [
    ["walking", 1],
    ["lying", 2],
    ["running", 0.5],
    ["walking", 2],
  ] as const)
    add(label, seconds);
  operator.fire(sessions, keyed, Infinity, 200, "idle", context);
  expect(JSON.stringify(settle()[0])).toContain('"activity":{"lying":2,"running":0.5,"walking":3}');
});
