import { beforeEach, expect, test } from "@jest/globals";
import { RepeatedLines } from "../../adapters/repeated-lines.ts";

const START = Date.UTC(2026, 0, 13, 14, 30);
const since = "2026-01-13T14:30:00.000Z";

let nowMs: number;
let written: unknown[];
let lines: RepeatedLines;
beforeEach(() => {
  nowMs = START;
  written = [];
  lines = new RepeatedLines(() => nowMs);
});

const take = (kind: string, text: string, most = 1): void =>
  lines.take(kind, most, (repeats) => written.push(repeats ? [text, repeats] : text));

test("the first line of a kind is written; the others of its minute are counted, and the last of them written", () => {
  take("a", "a1");
  nowMs += 20_000;
  take("a", "a2");
  take("b", "b1");
  nowMs += 39_999;
  take("a", "a3");
  lines.writeDue();
  expect(written).toEqual(["a1", "b1"]);
  nowMs += 1;
  lines.writeDue();
  expect(written).toEqual(["a1", "b1", ["a3", { repeated: 2, since }]]);
});

test("what comes after its minute is new again, and a line that came once is not written twice", () => {
  take("a", "a1");
  nowMs += 60_000;
  take("a", "a2");
  nowMs += 60_000;
  lines.writeDue();
  expect(written).toEqual(["a1", "a2"]);
});

test("a count that is due comes before the next line, also where no clock has looked for it", () => {
  take("a", "a1");
  take("a", "a2");
  nowMs += 3_600_000;
  take("a", "a3");
  expect(written).toEqual(["a1", ["a2", { repeated: 1, since }], "a3"]);
});

test("of lines of which more may be written, the first are, and the rest is counted", () => {
  for (let n = 1; n <= 25; n++) take("record", `record ${n}`, 20);
  lines.writeAll();
  expect(written).toHaveLength(21);
  expect(written.slice(19)).toEqual(["record 20", ["record 25", { repeated: 5, since }]]);
});

test("the end of the process writes all counts, once", () => {
  for (const kind of ["a", "a", "b", "b", "b"]) take(kind, kind);
  lines.writeAll();
  lines.writeAll();
  expect(written).toEqual(["a", "b", ["a", { repeated: 1, since }], ["b", { repeated: 2, since }]]);
});

test("more kinds than are remembered: the oldest one's count is written, and it is new again", () => {
  take("first", "first 1");
  take("first", "first 2");
  for (let n = 0; n < 200; n++) take(`kind ${n}`, "one");
  expect(written.filter((line) => line !== "one")).toEqual(["first 1", ["first 2", { repeated: 1, since }]]);
  take("first", "first 3");
  expect(written.at(-1)).toBe("first 3");
});
