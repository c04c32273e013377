import { expect, test } from "@jest/globals";
import { Suspects, Turns } from "../../../processor/engine/suspects.ts";

test("what an attempt of several died on is attempted one by one, everything else together", () => {
  const suspects = new Suspects({ from: 10, to: 12, deaths: 1 });
  expect(suspects.next([9, 10, 11])).toEqual({ count: 3, attempt: { from: 9, to: 12, deaths: 1 } });
  expect(suspects.next([10, 11, 12])).toEqual({ count: 1, attempt: { from: 10, to: 11, deaths: 2 } });
  expect(suspects.next([11, 12])).toEqual({ count: 1, attempt: { from: 11, to: 12, deaths: 2 } });
  expect(suspects.next([12, 15])).toEqual({ count: 2, attempt: { from: 12, to: 16, deaths: 1 } });
  expect(new Suspects(null).next([10, 11])).toEqual({ count: 2, attempt: { from: 10, to: 12, deaths: 1 } });
});

test("none is suspect behind the attempt at the end of the log, or 10,000 records behind the first", () => {
  const after = (nextOffset: number, lag: number): boolean => {
    const suspects = new Suspects({ from: 10, to: 12, deaths: 1 });
    suspects.next([5]);
    suspects.passed(nextOffset, lag);
    return suspects.isDone;
  };
  expect([after(11, 0), after(12, 0), after(12, 1)]).toEqual([false, true, false]);
  expect([after(10_004, 1), after(10_005, 1)]).toEqual([false, true]);
  const nothing = new Suspects(null);
  nothing.passed(0, 1);
  expect(nothing.isDone).toBe(false);
  nothing.passed(0, 0);
  expect(nothing.isDone).toBe(true);
});

test("turns come one after another, in the order in which they were asked for", async () => {
  const turns = new Turns();
  const log: string[] = [];
  const take = async (name: string): Promise<() => void> => {
    const end = await turns.take();
    log.push(name);
    return end;
  };
  const [first, second, third] = [take("first"), take("second"), take("third")];
  (await first)();
  const endSecond = await second;
  await Promise.resolve();
  expect(log).toEqual(["first", "second"]);
  endSecond();
  await third;
  expect(log).toEqual(["first", "second", "third"]);
});
