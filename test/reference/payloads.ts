import fc from "fast-check";

/** Ways to write a number. */
const spelled = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: -70, max: 70, noNaN: true }).map(String) },
  { weight: 2, arbitrary: fc.integer({ min: -70, max: 70 }).map(String) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      "0",
      "-0",
      "0.0",
      "-0.0e0",
      "1E1",
      "1e+1",
      "2.5e-3",
      "0e5",
      "10.000",
      "0.1000000000000000055511151231257827021181583404541015625",
      "0.30000000000000004",
      "6.9999999999999999999",
      "4.35",
      "1e-400",
      "5e-324",
      "2.2250738585072011e-308",
      "9.007199254740993",
      "123456789012345678e-17",
      "0.000000000000000000000000000012345678901234567890",
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.bigInt({ min: 0n, max: 10n ** 22n }), fc.integer({ min: -40, max: -20 }))
      .map(([digits, exponent]) => `${digits}e${exponent}`),
  },
);
/** Texts that are not JSON numbers, or out of range. */
const broken = fc.constantFrom(
  "01",
  "+1",
  ".5",
  "1.",
  "1e",
  "--1",
  "NaN",
  "Infinity",
  "0x10",
  "1_0",
  "1e400",
  "-1e400",
  "1e309",
  "",
  "null",
  "true",
  '"1"',
  "[1]",
  "1 2",
  "- 1",
  "1e5000000000",
  "320.00000000000001",
  "70.00000000000001",
);
const number = fc.oneof({ weight: 200, arbitrary: spelled }, { weight: 1, arbitrary: broken });

const space = fc.oneof(
  { weight: 8, arbitrary: fc.constant("") },
  { weight: 2, arbitrary: fc.constantFrom(" ", "\t", "\n", "\r\n", "  \n") },
);
const joined = (items: fc.Arbitrary<string[]>, open: string, close: string): fc.Arbitrary<string> =>
  fc.tuple(items, space, space, space).map(([list, a, b, c]) => `${open}${a}${list.join(`${b},${c}`)}${a}${close}`);

const rowOf = (item: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  joined(
    fc.oneof(
      { weight: 60, arbitrary: fc.array(item, { minLength: 6, maxLength: 6 }) },
      { weight: 1, arbitrary: fc.array(item, { maxLength: 8 }) },
    ),
    "[",
    "]",
  );
const name = (plain: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(`"${plain}"`) },
    { weight: 1, arbitrary: fc.constant(`"\\u00${plain.charCodeAt(0).toString(16)}${plain.slice(1)}"`) },
  );

const text = fc
  .oneof(
    fc.string({ maxLength: 6 }),
    fc.string({ unit: "grapheme", maxLength: 6 }),
    fc.constantFrom(
      "a1",
      "",
      "\u0000",
      "\\",
      '"',
      "\ud83d\ude00",
      "x".repeat(64),
      "x".repeat(65),
      "\u{1F600}".repeat(64),
      "\u{1F600}".repeat(65),
    ),
  )
  .map((value) => JSON.stringify(value));
const boots = fc.oneof(
  { weight: 8, arbitrary: text },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"\\u0061\\/"',
      '"\\ud83d"',
      '"\\udc00\\ud800"',
      '"\\x"',
      '"\\u12"',
      '"\t"',
      "7",
      "null",
      "[]",
    ),
  },
);

/** A member: its name and its value, with spaces around the colon. */
const member = (key: fc.Arbitrary<string>, value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(key, space, space, value).map(([k, a, b, v]) => `${k}${a}:${b}${v}`);
const extra = member(
  text,
  fc.oneof(
    fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value)),
    fc.constantFrom(
      '{"seq":9,"t":[1],"samples":[]}',
      '"\\"}],{"',
      "[[[[]]]]",
      "-0.0",
      '"\\u2028"',
      '{"a":{"samples":[[1,2,3,4,5,6]]}}',
    ),
  ),
);

/**
 * One message as a device may write it: members in any order, with any spacing and spelling, more members than needed,
 * and sometimes a wrong one.
 */
const written = fc
  .record({
    times: fc.array(number, { minLength: 1, maxLength: 4 }),
    ascending: fc.constantFrom(true, true, true, false),
    scalar: fc.constantFrom(false, false, true),
    hz: fc.constantFrom("200", "1e2", "0.5", "10000", "10000.0", "0.0", "-1", "1e-3"),
    seq: fc.oneof(
      { weight: 20, arbitrary: fc.constantFrom("0", "17", "1e3", "5.0", "9007199254740991", "2E0") },
      { weight: 1, arbitrary: fc.constantFrom("-0", "9007199254740992", "1.5", "-1", '"1"', "1e30", "null") },
    ),
  })
  .chain(({ times, ascending, scalar, hz, seq }) => {
    const t = ascending ? [...times].sort((a, b) => Number(a) - Number(b)) : times;
    const rows = fc.array(rowOf(number), { minLength: t.length, maxLength: t.length });
    const members: fc.Arbitrary<string>[] = [
      member(name("seq"), fc.constant(seq)),
      member(name("samples"), joined(rows, "[", "]")),
    ];
    if (scalar) members.push(member(name("t"), fc.constant(t[0]!)), member(name("hz"), fc.constant(hz)));
    else members.push(member(name("t"), joined(fc.constant(t), "[", "]")));
    const more = fc
      .tuple(fc.option(member(name("boot"), boots)), fc.array(extra, { maxLength: 2 }), fc.constantFrom(0, 0, 0, 0, 1))
      .map(([boot, extras, again]) => ({ list: [...(boot === null ? [] : [boot]), ...extras], again }));
    return fc
      .tuple(fc.tuple(...members), more, fc.nat(), space, space)
      .map(([all, { list, again }, turn, before, behind]) => {
        // Rotated, so that members come in any order. Of two members with the same name, JSON.parse takes the last.
        const together = [...all, ...list, ...all.slice(0, again)];
        const from = turn % together.length;
        return `${before}{${[...together.slice(from), ...together.slice(0, from)].join(",")}}${behind}`;
      });
  });

/** Bytes of a message. Some have a byte changed, left out, doubled or appended, or are cut off. */
export const payloads: fc.Arbitrary<Uint8Array> = fc
  .record({
    text: written,
    damage: fc.constantFrom("no", "no", "no", "change", "leave out", "double", "cut", "append"),
    at: fc.nat(),
    byte: fc.oneof(fc.constantFrom(...Buffer.from('[]{}:,"\\0.-eE ')), fc.nat(255)),
  })
  .map(({ text: whole, damage, at, byte }) => {
    const bytes = Buffer.from(whole);
    const i = at % bytes.length;
    if (damage === "change") bytes[i] = byte;
    if (damage === "leave out") return Buffer.concat([bytes.subarray(0, i), bytes.subarray(i + 1)]);
    if (damage === "double") return Buffer.concat([bytes.subarray(0, i), bytes.subarray(i, i + 1), bytes.subarray(i)]);
    if (damage === "cut") return bytes.subarray(0, i);
    if (damage === "append") return Buffer.concat([bytes, Buffer.from([byte])]);
    return bytes;
  });
