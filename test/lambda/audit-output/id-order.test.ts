import { expect, test } from "@jest/globals";
import { IdOrder, MAX_SOURCES, RECENT_IDS } from "../../../lambda/audit-output/id-order.ts";

const id = (offset: number, n = 0, log = "imu-data-all"): string => `${log}/3/${offset}/${n}`;
const verdicts = (order: IdOrder, ...ids: string[]): string[] => ids.map((one) => order.take(one));

test("ids that grow are new, and each is repeated when it comes again", () => {
  const order = new IdOrder();
  expect(verdicts(order, id(5), id(5, 1), id(9), id(10))).toEqual(["new", "new", "new", "new"]);
  expect(verdicts(order, id(5), id(5, 1), id(10), id(11))).toEqual(["repeated", "repeated", "repeated", "new"]);
});

test("an id that a later one overtook is out of order once, and repeated from then on", () => {
  const order = new IdOrder();
  expect(verdicts(order, id(5), id(7), id(6), id(6))).toEqual(["new", "new", "out-of-order", "repeated"]);
});

test("what comes before the first id that was read, and what is no id, can't be told", () => {
  const order = new IdOrder();
  expect(verdicts(order, id(5, 1), id(5), id(4), "hello", "a/b/c", "3/4")).toEqual([
    "new",
    ...Array.from({ length: 5 }, () => "unknown"),
  ]);
});

test("logs and their generations are apart", () => {
  const order = new IdOrder();
  expect(verdicts(order, id(5), id(5, 0, "imu-data-all~2"), id(5, 0, "market-trades"))).toEqual(["new", "new", "new"]);
});

test("behind the last 1,000 ids, order alone decides", () => {
  const order = new IdOrder();
  order.take(id(0));
  for (let offset = 2; offset < 2 * RECENT_IDS + 2; offset += 2) order.take(id(offset));
  // 0 has been let go, and was the highest that was: 1 comes after it and was never read.
  expect(verdicts(order, id(0), id(1))).toEqual(["repeated", "out-of-order"]);
  // 1 took the place of 2.
  expect(verdicts(order, id(2), id(3))).toEqual(["repeated", "out-of-order"]);
});

test("the source that was first goes when there are too many", () => {
  const order = new IdOrder();
  for (let i = 0; i <= MAX_SOURCES; i++) order.take(id(5, 0, `log-${i}`));
  for (let i = 0; i < RECENT_IDS; i++) order.take(id(i, 0, "filler"));
  expect(verdicts(order, id(4, 0, "log-0"), id(4, 0, "log-50"))).toEqual(["new", "unknown"]);
});
