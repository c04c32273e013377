import { describe, expect, test } from "@jest/globals";
import { inputLine } from "../../processor/dump-topic.ts";
import { InputLines } from "../../processor/replay-lines.ts";

const record = { partition: 3, offset: 17, timestamp: 1_657_533_977_900, key: Buffer.from("s1"), value: Buffer.from('{"seq":1,"t":[1.5]}'), headers: { "content-type": "application/json" } };

describe("a line of dump", () => {
  test("has the record's JSON as it is", () => {
    expect(inputLine(record)).toBe('{"key":"s1","timestamp":1657533977900,"value":{"seq":1,"t":[1.5]},"partition":3,"offset":17,"headers":{"content-type":"application/json"}}\n');
  });

  test.each([
    ["JSON with spaces", Buffer.from('{"seq": 1}')],
    ["a number that is written differently", Buffer.from("[1.50]")],
    ["keys that JavaScript sorts", Buffer.from('{"2":0,"1":0}')],
    ["broken JSON", Buffer.from('{"seq"')],
    ["bytes that are no UTF-8", Buffer.from([0xff, 0xfe, 0x00])],
    ["an empty value", Buffer.alloc(0)],
    ["the text null", Buffer.from("null")],
    ["no value", null],
    ["text beyond ASCII", Buffer.from('{"boot":"ä\\u2028😀"}')],
  ])("gives replay the same bytes: %s", (_, value) => {
    const read = new InputLines().read(inputLine({ ...record, value, key: null }));
    expect(read.value === null ? null : Buffer.from(read.value)).toEqual(value);
    expect(read).toMatchObject({ partition: 3, offset: 17, timestamp: record.timestamp, key: null, headers: record.headers });
  });

  test("gives replay a key that is no UTF-8", () => {
    expect(Buffer.from(new InputLines().read(inputLine({ ...record, key: Buffer.from([0x80, 0x81]) })).key!)).toEqual(Buffer.from([0x80, 0x81]));
  });
});
