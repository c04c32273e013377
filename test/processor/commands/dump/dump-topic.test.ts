import { describe, expect, test } from "@jest/globals";
import type { RecordHeaders } from "../../../../domain/record-headers.ts";
import { inputLine } from "../../../../processor/commands/dump/dump-topic.ts";
import { InputLines } from "../../../../processor/commands/replay/lines.ts";

const record = {
  partition: 3,
  offset: 17,
  timestamp: 1_657_533_977_900,
  key: Buffer.from("s1"),
  value: Buffer.from('{"seq":1,"t":[1.5]}'),
  recordHeaders: [["content-type", Buffer.from("application/json")]],
} as const;

describe("an input line", () => {
  const read = (line: string): string | null => {
    const { value } = new InputLines().read(line);
    return value === null ? null : Buffer.from(value).toString();
  };

  test.each([
    ['{"timestamp":1,"value":{"seq": 1.0,"samples":[[1e999]]},"key":"value"}', '{"seq": 1.0,"samples":[[1e999]]}'],
    [' { "value" : [1, {"value":2}] , "timestamp" : 1 } ', '[1, {"value":2}]'],
    ['{"v\\u0061lue":"a,}","timestamp":1}', '"a,}"'],
    ['{"value":1,"value":-2.50,"timestamp":1}', "-2.50"],
    ['{"timestamp":1,"value":true}', "true"],
    ['{"timestamp":1,"value":null,"key":null,"headers":null,"partition":null,"offset":null,"valueBase64":null}', null],
    ['\ufeff{"timestamp":1,"value":0}', "0"],
  ])("%s has the value %s", (line, value) => expect(read(line)).toBe(value));
});

describe("a line of the dump", () => {
  test("holds the record's JSON verbatim", () => {
    expect(inputLine(record)).toBe(
      '{"key":"s1","timestamp":1657533977900,"value":{"seq":1,"t":[1.5]},"partition":3,"offset":17,' +
        '"headers":{"content-type":"application/json"}}\n',
    );
  });

  test.each([
    ["JSON with spaces", Buffer.from('{"seq": 1}')],
    ["a number that is written differently", Buffer.from("[1.50]")],
    ["keys that JavaScript sorts", Buffer.from('{"2":0,"1":0}')],
    ["broken JSON", Buffer.from('{"seq"')],
    ["bytes that are not UTF-8", Buffer.from([0xff, 0xfe, 0x00])],
    ["an empty value", Buffer.alloc(0)],
    [
      "a number beyond all doubles, and an integer that no double holds",
      Buffer.from('{"t":1e999,"seq":9007199254740993}'),
    ],
    [
      "a repeated name, and escapes and brackets in strings",
      Buffer.from('{"a":"]}\\\\\\"","a":[{"value":1}],"b":"\\u0041"}'),
    ],
    ["JSON over several lines", Buffer.from('{"seq":\n1}')],
    ["JSON between spaces", Buffer.from(' {"seq":1}\t')],
    ["a number alone", Buffer.from("-1.50")],
    ["a word alone", Buffer.from("false")],
    ["a string alone", Buffer.from('"a\\"b"')],
    ["the text null", Buffer.from("null")],
    ["no value", null],
    ["text beyond ASCII", Buffer.from('{"boot":"ä\\u2028😀"}')],
  ])("gives replay the same bytes: %s", (_, value) => {
    const read = new InputLines().read(inputLine({ ...record, value, key: null }));
    expect(read.value === null ? null : Buffer.from(read.value)).toEqual(value);
    expect(read).toMatchObject({
      partition: 3,
      offset: 17,
      timestamp: record.timestamp,
      key: null,
      headers: { "content-type": "application/json" },
    });
  });

  test.each<[string, RecordHeaders, string, Record<string, string>]>([
    ["no headers", [], "{}", {}],
    ["a null header", [["content-type", null]], '{"content-type":null}', {}],
    ["bytes that are no UTF-8", [["a", Buffer.from([0xff])]], '{"a":{"base64":"/w=="}}', { a: "\ufffd" }],
    [
      "a name twice",
      [
        ["b", Buffer.from("1")],
        ["a", Buffer.from("2")],
        ["b", null],
      ],
      '[["b","1"],["a","2"],["b",null]]',
      { a: "2" },
    ],
    [
      "a name like a number",
      [
        ["b", Buffer.from("1")],
        ["7", Buffer.from("2")],
      ],
      '[["b","1"],["7","2"]]',
      { b: "1", "7": "2" },
    ],
    ["line ends", [["b\u2028", Buffer.from("\u2029\n")]], '{"b\\u2028":"\\u2029\\n"}', { "b\u2028": "\u2029\n" }],
  ])("holds headers in order, byte for byte: %s", (_, recordHeaders, text, headers) => {
    const line = inputLine({ ...record, recordHeaders });
    expect(line).toContain(`"headers":${text}}`);
    expect(new InputLines().read(line).headers).toEqual(headers);
  });

  test("has no line separator of Unicode inside it", () => {
    expect(inputLine({ ...record, key: Buffer.from("\u2028") })).toContain('"key":"\\u2028"');
    for (const value of ['{"boot":"\u2028"}', "[1,\r2]"])
      expect(inputLine({ ...record, value: Buffer.from(value) }).trimEnd()).not.toMatch(/[\n\r\u0085\u2028\u2029]/);
  });

  test("gives replay the bytes of a key that is not UTF-8", () => {
    expect(Buffer.from(new InputLines().read(inputLine({ ...record, key: Buffer.from([0x80, 0x81]) })).key!)).toEqual(
      Buffer.from([0x80, 0x81]),
    );
  });
});
