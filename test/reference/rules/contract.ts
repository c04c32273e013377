import { data, raw, type Rule } from "./rule.ts";

const row = "[1,2,2,2,3,6]";
const rows = (n: number): string => Array.from({ length: n }, () => row).join(",");
const one = (samples: string): string => `{"seq":0,"t":[0],"samples":[${samples}]}`;
/** Every payload that breaks the contract in one way, and the code that says so. */
export const broken: [code: string, value: string | Uint8Array, key?: string | null, headers?: Record<string, string>][] = [
  ["invalid-sensor-id", one(row), "a/b"],
  ["invalid-sensor-id", one(row), ""],
  ["invalid-sensor-id", one(row), "x".repeat(129)],
  ["unknown-content-type", one(row), "s", { "content-type": "text/plain" }],
  ["invalid-json", ""],
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
  ["out-of-range", `{"seq":-1,"t":[0],"samples":[${row}]}`],
  ["out-of-range", `{"seq":0,"t":0,"hz":0,"samples":[${row}]}`],
  ["out-of-range", `{"seq":0,"t":0,"hz":10000.5,"samples":[${row}]}`],
  ["out-of-range", `{"seq":0,"t":[-8640000000000001],"samples":[${row}]}`],
  ["out-of-range", one("[320.5,0,0,0,0,0]")],
  ["out-of-range", one("[0,0,-320.5,0,0,0]")],
  ["out-of-range", one("[0,0,0,70.5,0,0]")],
];

export const contractRules: Rule[] = [
  {
    name: "what breaks the contract is dead-lettered with a code that says how",
    log: broken.map(([, value, key = "s", headers = {}]) => raw(key, 0, value, headers)),
    flush: true,
    expected: broken.map(([code, , key = "s"], offset) => `@${offset} dead-letter ${key} ${code}`),
  },
  {
    name: "what is at the bounds of the contract is taken",
    log: [
      raw("x".repeat(128), 0, `{"seq":0,"boot":"${"\u{1F600}".repeat(64)}","t":[0],"samples":[[320,-320,320,70,-70,70]],"more":1}`, { "content-type": "Application/JSON; charset=utf-8" }),
      raw("a:B_-", 0, `{"seq":9007199254740991,"t":0,"hz":10000,"samples":[${rows(1000)}]}`),
    ],
    flush: true,
    about: /window|dead/,
    expected: [`@1 window a:B_- 0..1000 r0 end-of-input n=1000`, `@1 window ${"x".repeat(128)} 0..1000 r0 end-of-input n=1`],
  },
  {
    name: "the first sample's time and hz give every sample's time",
    log: [raw("s", 10, `{"seq":0,"t":0,"hz":200,"samples":[${rows(3)}]}`)],
    flush: true,
    about: /ended/,
    expected: ["@0 ended s@0..10 n=3 r0 end-of-input"],
  },
  {
    name: "control records and records without readings touch no sensor",
    log: [data("s", 0, [0]), { partition: 0, timestamp: 1, key: null, value: null, headers: {} }],
    flush: true,
    about: /window|dead/,
    expected: ["@1 window s 0..1000 r0 end-of-input n=1"],
  },
];
