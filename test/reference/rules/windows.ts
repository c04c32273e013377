import type { Output } from "../log.ts";
import { data, row, type Rule } from "./rule.ts";

type Statistics = Record<string, number>;
/** The statistics of two channels, to nine digits. */
function statistics(output: Output): string {
  const { channels } = output.value as { channels: Record<string, Statistics> };
  const digits = (s: Statistics): string =>
    ["mean", "std", "min", "max", "rms"].map((name) => Number(s[name]!.toPrecision(9))).join(" ");
  return `ax ${digits(channels["ax"]!)}, accMag ${digits(channels["accMag"]!)}`;
}

export const windowRules: Rule[] = [
  {
    name: "a window holds its start and not its end",
    log: [data("s", 0, [0, 999, 1000]), data("s", 1, [2500])],
    about: /window/,
    expected: ["@1 window s 0..1000 r0 watermark n=2", "@1 window s 1000..2000 r0 watermark n=1"],
  },
  {
    name: "windows are aligned to the epoch, before it too",
    log: [data("s", 0, [-1001, -1, -1e-14, 0]), data("s", 1, [1500])],
    about: /window/,
    expected: [
      "@0 window s -2000..-1000 r0 watermark n=1",
      "@1 window s -1000..0 r0 watermark n=2",
      "@1 window s 0..1000 r0 watermark n=1",
    ],
  },
  {
    name: "a sliding window's reading counts in every pane that holds it",
    settings: { slideMs: 300 },
    log: [data("s", 0, [1000]), data("s", 1, [2400])],
    about: /window/,
    expected: [
      "@1 window s 300..1300 r0 watermark n=1",
      "@1 window s 600..1600 r0 watermark n=1",
      "@1 window s 900..1900 r0 watermark n=1",
    ],
  },
  {
    name: "a reading for a window that has fired makes it fire again at once",
    log: [data("s", 0, [0]), data("s", 1, [1500]), data("s", 2, [500])],
    about: /window/,
    expected: ["@1 window s 0..1000 r0 watermark n=1", "@2 window s 0..1000 r1 late n=2"],
  },
  {
    name: "a late message revises each window it touches once",
    log: [data("s", 0, [0, 1000]), data("s", 1, [2500]), data("s", 2, [100, 200, 1100, 1200])],
    about: /window/,
    expected: [
      "@1 window s 0..1000 r0 watermark n=1",
      "@1 window s 1000..2000 r0 watermark n=1",
      "@2 window s 0..1000 r1 late n=3",
      "@2 window s 1000..2000 r1 late n=3",
    ],
  },
  {
    name: "a window that gets its first reading after its end fires at once as late, revision 0",
    log: [data("s", 0, [2500]), data("s", 1, [100])],
    about: /window/,
    expected: ["@1 window s 0..1000 r0 late n=1"],
  },
  {
    name: "a window is gone when the watermark has reached its end plus the allowed lateness",
    log: [data("s", 0, [0]), data("s", 1, [6499]), data("s", 2, [1]), data("s", 3, [6500]), data("s", 4, [2])],
    about: /window/,
    expected: [
      "@1 window s 0..1000 r0 watermark n=1",
      "@2 window s 0..1000 r1 late n=2",
      "@4 late window s 0..1000 seq=4 t=2",
    ],
  },
  {
    name: "a reading can be late for one pane of a sliding window and on time for another",
    settings: { slideMs: 500 },
    log: [data("s", 0, [6900]), data("s", 1, [700])],
    about: /window/,
    expected: ["@1 late window s 0..1000 seq=1 t=700", "@1 window s 500..1500 r0 late n=1"],
  },
  {
    name: "statistics are of the values as received, std of the population",
    log: [
      data("s", 0, [0, 1], {
        samples: [
          [1, 2, 2, 0, 0, 0],
          [3, 0, 4, 0, 0, 0],
        ],
      }),
    ],
    flush: true,
    about: /window/,
    show: statistics,
    // ax 1, 3: rms √5; accMag 3, 5: rms √17.
    expected: ["ax 2 1 1 3 2.23606798, accMag 4 1 3 5 4.12310563"],
  },
  {
    name: "late readings are output verbatim, with the window that they missed",
    log: [data("s", 0, [60_000]), data("s", 1, [5, 6.5], { boot: "b", samples: [row, [0.1, -0.25, 0, 0, 0, 0]] })],
    about: /late window/,
    show: (output) =>
      JSON.stringify(
        Object.entries(output.value as object)
          .filter(([key]) => key !== "id" && key !== "schema")
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
    expected: [
      '[["boot","b"],["operator","window"],["samples",[[1,2,2,2,3,6],[0.1,-0.25,0,0,0,0]]],["sensorId","s"],' +
        '["seq",1],["t",[5,6.5]],["window",{"start":0,"end":1000}]]',
    ],
  },
];
