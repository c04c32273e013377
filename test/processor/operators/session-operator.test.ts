import { expect, test } from "@jest/globals";
import { SessionOperator } from "../../../processor/operators/session-operator.ts";
import { Reader, Writer } from "../../../processor/runtime/codec.ts";
import { Counters } from "../../../processor/runtime/counters.ts";
import { Emitter } from "../../../processor/runtime/emitter.ts";
import { Generations } from "../../../processor/runtime/generations.ts";
import { KeyedState } from "../../../processor/runtime/keyed-state.ts";
import { Message } from "../../../processor/runtime/message.ts";

const operator = new SessionOperator({
  sessionGapMs: 1_000,
  allowedLatenessMs: 5_000,
  to: "sessions",
  keyField: "key",
  late: { topic: "late", width: 1, identify: ({ key }: Message) => ({ key }) },
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

test("a session that an earlier version began has no warning: the sum of its first samples is not known", () => {
  const sessions = operator.decode(layoutOne(), 1);
  const keyed = new KeyedState("k", 0, null, [sessions]);
  const settled: (() => void)[] = [];
  const counters = new Counters();
  const options = { source: "rows", log: "rows", partition: 0, deadLetter: "dead", maxOutputBytes: 900_000, counters };
  const context = {
    out: new Emitter(options, null),
    counters,
    generations: new Generations(),
    whenSettled: (work: () => void) => void settled.push(work),
  };
  // 2, and 0 for the sample before it, would have the mean 1.
  const message = Object.assign(new Message(1), { key: "k", rows: 1 });
  message.t[0] = 200;
  message.columns[0] = 2;
  operator.apply(sessions, keyed, message, -Infinity, context);
  operator.fire(sessions, keyed, Infinity, 200, "idle", context);
  for (const work of settled) work();
  const [ended] = context.out.take().map(({ value }) => JSON.parse(Buffer.from(value!).toString("utf8")) as object);
  expect(ended).toMatchObject({ type: "ended", end: 200, samples: 2, cause: "idle" });
  expect(ended).not.toHaveProperty("warnings");
});
