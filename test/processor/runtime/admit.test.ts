import { expect, test } from "@jest/globals";
import { contentTypes, headers } from "../../../domain/topics.ts";
import { sensorMachineFactory } from "../../../processor/adapters/machine-factory.ts";

/** 2026-11-27T10:11:59Z. */
const RECORD_AT = 1_795_774_319_000;
const CHECK_CLOCK = "check the device's clock";
const fitsIn = (unit: string): string => `it would fit in ${unit}; epoch milliseconds are expected`;
const TOO_OLD = "is before the earliest time that is taken, 1451606400000 (2016-01-01T00:00:00.000Z)";

/** Dead letters as code and message, of one message a sensor with these times, and the topics of everything else. */
async function taken(
  times: string,
): Promise<{ readonly letters: readonly string[]; readonly topics: readonly string[] }> {
  const machine = await sensorMachineFactory().create({ partition: 0, restored: null, failures: new Map() });
  machine.step({
    partition: 0,
    offset: 0,
    timestamp: RECORD_AT,
    key: Buffer.from("s1"),
    value: Buffer.from(`{"seq":0,"boot":"b","t":[${times}],"samples":[[0,0,9.8,0,0,0],[0,0,9.8,0,0,0]]}`),
    headers: { [headers.contentType]: contentTypes.json },
  });
  const outputs = await machine.settle();
  const letters = outputs.filter(({ topic }) => topic === "dead-letter");
  return {
    letters: letters.map((letter) => `${letter.headers["error-code"]}: ${letter.headers["error-message"]}`),
    topics: outputs.filter(({ topic }) => topic !== "dead-letter").map(({ topic }) => topic),
  };
}

/** Times of a message's two samples, what the letter quotes, and what it advises. */
const old: readonly [string, string, string][] = [
  ["-1000.25,-990.25", "-1000.25", CHECK_CLOCK],
  ["0,10", "0", CHECK_CLOCK],
  // Seconds: 2022-07-11T10:06:17Z; read as milliseconds they are of January 1970.
  ["1657533977,1657533987", "1657533977", fitsIn("seconds")],
  // In 1901.
  ["-2177452800000,-2177452799990", "-2177452800000", CHECK_CLOCK],
  ["1451606399999,1451606400000", "1451606399999", CHECK_CLOCK],
];

test.each(old)("a message of the times [%s] is too old", async (times, quoted, advice) => {
  expect(await taken(times)).toEqual({
    letters: [`event-too-old: the first sample's time ${quoted} ${TOO_OLD}: ${advice}`],
    topics: [],
  });
});

/** One minute, the guard, ahead of the record is 1,795,774,379,000. */
const future: readonly [string, string, string][] = [
  ["1795774319000,1795774379001", "1795774379001 is 60001 ms", CHECK_CLOCK],
  // The record's own time in microseconds: 1,795,774,319,000,000 − 1,795,774,319,000 ms ahead.
  ["1795774319000000,1795774319000000", "1795774319000000 is 1793978544681000 ms", fitsIn("microseconds")],
];

test.each(future)("a message of the times [%s] is from the future", async (times, quoted, advice) => {
  const allowed = "ahead of the record's timestamp 1795774319000; at most 60000 ms are allowed";
  expect(await taken(times)).toEqual({
    letters: [`event-from-the-future: the last sample's time ${quoted} ${allowed}: ${advice}`],
    topics: [],
  });
});

test("both guards take a sample exactly at them", async () => {
  expect((await taken("1451606400000,1451606400010")).letters).toEqual([]);
  expect((await taken("1795774319000,1795774379000")).letters).toEqual([]);
});
