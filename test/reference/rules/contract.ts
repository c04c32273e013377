import { pack, packedHeaders } from "../packed.ts";
import { data, raw, type Rule } from "./rule.ts";

const row = "[1,2,2,2,3,6]";
const rows = (n: number): string => Array.from({ length: n }, () => row).join(",");
const one = (samples: string): string => `{"seq":0,"t":[0],"samples":[${samples}]}`;
const packed = pack({ seq: 0, boot: "b1", t: [0], samples: [[1, 2, 2, 2, 3, 6]] });
/** A packed message with one byte changed. */
function changed(at: number, byte: number): Uint8Array {
  const bytes = Uint8Array.from(packed);
  bytes[at] = byte;
  return bytes;
}
/** Payloads that break the contract in one way each, and the code of that violation. */
export const broken: [
  code: string,
  value: string | Uint8Array | null,
  key?: string | null,
  headers?: Record<string, string>,
][] = [
  ["invalid-sensor-id", one(row), "a/b"],
  ["invalid-sensor-id", one(row), ""],
  ["invalid-sensor-id", one(row), "x".repeat(129)],
  ["invalid-sensor-id", one(row), null],
  ["payload-too-large", one(row) + " ".repeat(131_072)],
  ["unknown-content-type", one(row), "s", { "content-type": "text/plain" }],
  ["invalid-json", ""],
  ["invalid-json", null],
  ["invalid-json", "{seq:0}"],
  ["invalid-json", '{"seq":0,"t":[0],"samples":[[NaN,0,0,0,0,0]]}'],
  ["invalid-json", Uint8Array.of(0x22, 0xff, 0x22)],
  ["invalid-message", "null"],
  ["invalid-message", "[]"],
  ["invalid-message", '{"t":[0],"samples":[[0,0,0,0,0,0]]}'],
  ["invalid-message", `{"seq":"0","t":[0],"samples":[${row}]}`],
  ["invalid-message", `{"seq":0.5,"t":[0],"samples":[${row}]}`],
  ["invalid-message", `{"seq":0,"samples":[${row}]}`],
  ["invalid-message", `{"seq":0,"t":0,"samples":[${row}]}`],
  ["invalid-message", `{"seq":0,"t":[0],"hz":100,"samples":[${row}]}`],
  ["invalid-message", `{"seq":0,"t":[0,1],"samples":[${row}]}`],
  ["invalid-message", `{"seq":0,"t":[1,0],"samples":[${rows(2)}]}`],
  ["invalid-message", `{"seq":0,"boot":7,"t":[0],"samples":[${row}]}`],
  ["invalid-message", one("")],
  ["invalid-message", one("[0,0,0,0,0]")],
  ["invalid-message", one("[0,0,0,0,0,0,0]")],
  ["invalid-message", one("[0,0,null,0,0,0]")],
  ["too-many-samples", `{"seq":0,"t":0,"hz":1000,"samples":[${rows(1001)}]}`],
  ["invalid-message", `{"seq":0.5,"t":0,"hz":0,"samples":[${row}]}`],
  ["invalid-message", `{"seq":0,"boot":"${"b".repeat(65)}","t":0,"hz":0,"samples":[${row}]}`],
  ["out-of-range", `{"seq":-1,"t":[0],"samples":[${row}]}`],
  ["out-of-range", `{"seq":9007199254740993,"t":[0],"samples":[${row}]}`],
  ["out-of-range", one("[1e999,0,0,0,0,0]")],
  ["out-of-range", `{"seq":0,"t":0,"hz":0,"samples":[${row}]}`],
  ["out-of-range", `{"seq":0,"t":0,"hz":10000.5,"samples":[${row}]}`],
  ["out-of-range", `{"seq":0,"t":[-8640000000000001],"samples":[${row}]}`],
  ["out-of-range", one("[320.5,0,0,0,0,0]")],
  ["out-of-range", one("[0,0,-320.5,0,0,0]")],
  ["out-of-range", one("[0,0,0,70.5,0,0]")],
  ["invalid-packed", "", "s", packedHeaders],
  ["invalid-packed", null, "s", packedHeaders],
  ["invalid-packed", one(row), "s", packedHeaders],
  ["invalid-packed", packed.subarray(0, packed.length - 1), "s", packedHeaders],
  ["invalid-packed", Buffer.concat([packed, Buffer.alloc(1)]), "s", packedHeaders],
  ["invalid-packed", changed(0, 0x6d), "s", packedHeaders],
  ["invalid-packed", changed(2, 2), "s", packedHeaders],
  ["invalid-packed", changed(3, 7), "s", packedHeaders],
  ["invalid-packed", changed(3, 1), "s", packedHeaders],
  ["invalid-packed", changed(7, 1), "s", packedHeaders],
  ["invalid-packed", changed(16, 0xff), "s", packedHeaders],
  ["invalid-packed", changed(18, 1), "s", packedHeaders],
  ["invalid-message", pack({ seq: 0, t: [], samples: [] }), "s", packedHeaders],
  ["invalid-message", pack({ seq: 0.5, t: [0], samples: [[0, 0, 0, 0, 0, 0]] }), "s", packedHeaders],
  [
    "invalid-message",
    pack({
      seq: 0,
      t: [1, 0],
      samples: [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
      ],
    }),
    "s",
    packedHeaders,
  ],
  ["out-of-range", pack({ seq: 0, t: 0, hz: 0, samples: [[0, 0, 0, 0, 0, 0]] }), "s", packedHeaders],
  ["out-of-range", pack({ seq: 0, t: [NaN], samples: [[0, 0, 0, 0, 0, 0]] }), "s", packedHeaders],
  [
    "out-of-range",
    pack({
      seq: 0,
      t: [5, NaN],
      samples: [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
      ],
    }),
    "s",
    packedHeaders,
  ],
  [
    "out-of-range",
    pack({
      seq: 0,
      t: [NaN, 3],
      samples: [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
      ],
    }),
    "s",
    packedHeaders,
  ],
  ["out-of-range", pack({ seq: 0, t: [0], samples: [[0, 0, NaN, 0, 0, 0]] }), "s", packedHeaders],
  ["out-of-range", pack({ seq: 0, t: [0], samples: [[0, 0, 0, 0, -70.5, 0]] }), "s", packedHeaders],
  [
    "too-many-samples",
    pack({ seq: 0, t: 0, hz: 1000, samples: Array.from({ length: 1001 }, () => [0, 0, 0, 0, 0, 0]) }),
    "s",
    packedHeaders,
  ],
];

export const contractRules: Rule[] = [
  {
    name: "a dead letter that is sent in again is taken once",
    log: [
      raw("s", 0, "{", { "reinjected-from": "dead-letter/0/7" }),
      raw("s", 0, "{", { "reinjected-from": "dead-letter/0/7" }),
      raw("s", 0, "{", { "reinjected-from": "dead-letter/0/8" }),
    ],
    expected: ["@0 dead-letter s invalid-json", "@2 dead-letter s invalid-json"],
  },
  {
    name: "a message that breaks the contract is dead-lettered with a code that says how",
    // A record with neither key nor value would be a control record.
    log: broken.map(([, value, key = "s", headers = {}]) => raw(key, 0, value, headers)),
    flush: true,
    expected: broken.map(([code, , key = "s"], offset) => `@${offset} dead-letter ${key} ${code}`),
  },
  {
    name: "a message at the bounds of the contract is accepted",
    log: [
      raw(
        "x".repeat(128),
        0,
        `{"seq":0,"boot":"${"\u{1F600}".repeat(64)}","t":[0],"samples":[[320,-320,320,70,-70,70]],"more":1}`,
        { "content-type": "Application/JSON; charset=utf-8" },
      ),
      raw("any", 0, one(row), { "content-type": "" }),
      raw("full", 0, one(row).padEnd(131_072)),
      raw("a:B_-", 0, `{"seq":9007199254740991,"t":0,"hz":10000,"samples":[${rows(1000)}]}`),
    ],
    flush: true,
    about: /window|dead/,
    expected: [
      `@3 window a:B_- 0..1000 r0 end-of-input n=1000`,
      "@3 window any 0..1000 r0 end-of-input n=1",
      "@3 window full 0..1000 r0 end-of-input n=1",
      `@3 window ${"x".repeat(128)} 0..1000 r0 end-of-input n=1`,
    ],
  },
  {
    name: "the first sample's time and hz give every sample's time",
    log: [raw("s", 10, `{"seq":0,"t":0,"hz":200,"samples":[${rows(3)}]}`)],
    flush: true,
    about: /ended/,
    expected: ["@0 ended s@0..10 n=3 r0 end-of-input"],
  },
  {
    name: "a packed message is the same message",
    log: [
      raw(
        "s",
        10,
        pack({
          seq: 0,
          boot: "b",
          t: 0,
          hz: 200,
          samples: [
            [1, 2, 2, 0.5, 0, 0],
            [1, 2, 2, 0.5, 0, 0],
          ],
        }),
        packedHeaders,
      ),
      data("s", 0, [0, 5], { boot: "b" }),
    ],
    flush: true,
    about: /dead|ended/,
    expected: ["@1 ended s@0..5 n=2 r0 end-of-input"],
    duplicates: 1,
  },
  {
    name: "control records and records without readings touch no sensor",
    log: [data("s", 0, [0]), { partition: 0, timestamp: 1, key: null, value: null, headers: {} }],
    flush: true,
    about: /window|dead/,
    expected: ["@1 window s 0..1000 r0 end-of-input n=1"],
  },
];
