import { expect, test } from "@jest/globals";
import { Counters } from "../../../processor/runtime/counters.ts";
import { Emitter } from "../../../processor/runtime/emitter.ts";
import { Generations } from "../../../processor/runtime/generations.ts";
import { emitLate, rowsOf } from "../../../processor/runtime/late.ts";
import { MAX_ROWS, Message } from "../../../processor/runtime/message.ts";

test("the late rows of a message are written verbatim with what they missed, and counted", () => {
  const counters = new Counters();
  const options = { log: "in", partition: 3, deadLetter: "dead", maxOutputBytes: 1_000, counters };
  const out = new Emitter(options, null);
  out.begin(42, {});
  const ignore = (): void => undefined;
  const context = { out, counters, generations: new Generations(), markChanged: ignore, whenSettled: ignore };
  const message = new Message(2);
  Object.assign(message, { key: "k", rows: 4 });
  for (let row = 0; row < 4; row++) {
    message.t[row] = 100 + row;
    message.columns[row] = row;
    message.columns[MAX_ROWS + row] = -row;
  }
  const output = {
    topic: "late",
    identify: ({ key }: Message) => ({ name: key }),
    verbatim: (one: Message, from: number, to: number) => rowsOf(one, 2, from, to),
  };
  emitLate(output, message, "window", { start: 0, end: 1_000 }, 1, 3, context);
  const rows = '"t":[101,102],"samples":[[1,-1],[2,-2]]';
  expect(out.take().map(({ topic, key, value }) => [topic, key, Buffer.from(value!).toString()])).toEqual([
    [
      "late",
      "k",
      `{"id":"in/3/42/0","schema":1,"name":"k","operator":"window","window":{"start":0,"end":1000},${rows}}`,
    ],
  ]);
  expect(counters.get('processor.late-readings{operator="window"}')).toBe(2);
});
