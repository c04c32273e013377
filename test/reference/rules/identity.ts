import { line } from "../describe.ts";
import type { Output } from "../log.ts";
import { data, raw, type Rule, tick } from "./rule.ts";

const silence = (from: number): ReturnType<typeof tick>[] => [
  tick(from + 5_000),
  tick(from + 10_000),
  tick(from + 10_001),
];
/** One message of each of three hundred boots, 10 ms apart. */
const hundreds = (): ReturnType<typeof data>[] =>
  Array.from({ length: 300 }, (_, i) => data("s", 0, [i * 10], { boot: `b${i}` }));
const order = /transformed|inference/;

/** An output's topic and id. */
function place(output: Output): string {
  return `${output.topic} ${(output.value as { id: string }).id}`;
}

export const identityRules: Rule[] = [
  {
    name: "the same sensor, boot and number a second time is a duplicate and is dropped",
    log: [data("s", 0, [0]), data("s", 0, [0])],
    flush: true,
    about: /window|dead/,
    expected: ["@1 window s 0..1000 r0 end-of-input n=1"],
    duplicates: 1,
  },
  {
    name: "another boot, or none, is another message",
    log: [
      data("s", 0, [0], { boot: "a" }),
      data("s", 0, [10], { boot: "b" }),
      data("s", 0, [20]),
      data("s", 0, [5], { boot: "a" }),
    ],
    flush: true,
    about: /window|dead/,
    expected: ["@3 window s 0..1000 r0 end-of-input n=3"],
    duplicates: 1,
  },
  {
    name: "boots that are not valid Unicode are distinguished like any others",
    log: [
      raw("s", 0, '{"seq":0,"boot":"\\ud800","t":[0],"samples":[[1,2,2,2,3,6]]}'),
      raw("s", 0, '{"seq":0,"boot":"\\udc00","t":[0],"samples":[[1,2,2,2,3,6]]}'),
      raw("s", 0, '{"seq":0,"boot":"\\ud800","t":[0],"samples":[[1,2,2,2,3,6]]}'),
    ],
    flush: true,
    about: /window|dead/,
    expected: ["@2 window s 0..1000 r0 end-of-input n=2"],
    duplicates: 1,
  },
  {
    name: "a seen number with samples newer than all before is a reused one and is dead-lettered",
    log: [data("s", 0, [0, 10]), data("s", 0, [0, 11]), data("s", 0, [5, 10])],
    about: /dead/,
    expected: ["@1 dead-letter s sequence-reused"],
    duplicates: 1,
  },
  {
    name: "a dead-lettered message leaves no trace: sent again, it is new",
    log: [raw("s", 0, '{"seq":0,"t":[0],"samples":[]}'), data("s", 0, [0])],
    flush: true,
    about: /window|dead/,
    expected: ["@0 dead-letter s invalid-message", "@1 window s 0..1000 r0 end-of-input n=1"],
    duplicates: 0,
  },
  {
    name: "over the limit of intervals the floor rises past the oldest gap, and what is below it is dead-lettered",
    settings: { maxIntervalsPerSensor: 2 },
    log: [
      data("s", 0, [0]),
      data("s", 2, [0]),
      data("s", 4, [0]),
      data("s", 1, [0]),
      data("s", 0, [0]),
      data("s", 2, [0]),
      data("s", 3, [0]),
    ],
    flush: true,
    about: /window|dead/,
    expected: [
      "@3 dead-letter s sequence-unknown",
      "@4 dead-letter s sequence-unknown",
      "@6 window s 0..1000 r0 end-of-input n=4",
    ],
    duplicates: 1,
  },
  {
    name: "over the limit of boots the oldest is forgotten, and its later messages are dead-lettered",
    settings: { maxBootsPerSensor: 2 },
    log: [
      data("s", 0, [0], { boot: "a" }),
      data("s", 0, [0], { boot: "b" }),
      data("s", 0, [0], { boot: "c" }),
      data("s", 9, [0], { boot: "a" }),
      data("s", 0, [0], { boot: "b" }),
    ],
    about: /dead/,
    expected: ["@3 dead-letter s sequence-unknown"],
    duplicates: 1,
  },
  {
    name: "a boot forgotten long ago is not taken for a new one",
    settings: { maxBootsPerSensor: 1 },
    log: [...hundreds(), ...hundreds(), data("s", 0, [3000], { boot: "newest" })],
    flush: true,
    about: /dead|ended/,
    // All but the last boot are forgotten: each of their messages comes a second time, at offsets 300 to 598.
    expected: [
      ...Array.from({ length: 299 }, (_, i) => `@${300 + i} dead-letter s sequence-unknown`),
      "@600 ended s@0..3000 n=301 r0 end-of-input",
    ],
    duplicates: 1,
  },
  {
    name: "messages are released in the order of their numbers, at once while these are contiguous",
    log: [data("s", 5, [0]), data("s", 6, [100]), data("s", 8, [300]), data("s", 7, [200])],
    about: order,
    expected: ["@0 transformed s seq=5", "@1 transformed s seq=6", "@3 transformed s seq=7", "@3 transformed s seq=8"],
  },
  {
    name: "a gap is given up when the watermark has passed a waiting message's first sample",
    log: [data("s", 0, [0]), data("s", 2, [200]), data("s", 3, [400]), data("s", 4, [699]), data("s", 5, [700])],
    about: order,
    expected: [
      "@0 transformed s seq=0",
      "@4 transformed s seq=2",
      "@4 transformed s seq=3",
      "@4 transformed s seq=4",
      "@4 transformed s seq=5",
    ],
  },
  {
    name: "a released message releases everything before it",
    log: [data("s", 0, [0]), data("s", 2, [1000]), data("s", 4, [600]), data("s", 6, [1100])],
    about: order,
    expected: ["@0 transformed s seq=0", "@3 transformed s seq=2", "@3 transformed s seq=4"],
  },
  {
    name: "a waiting message whose first sample the watermark has passed already is released in its own step",
    log: [data("s", 0, [0]), data("s", 2, [1000]), data("s", 4, [500])],
    about: order,
    expected: ["@0 transformed s seq=0", "@2 transformed s seq=2", "@2 transformed s seq=4"],
  },
  {
    name: "idleness releases what waits, and a message behind the released position is not scored",
    log: [data("s", 0, [0]), data("s", 2, [100], { at: 0 }), ...silence(0), data("s", 1, [50, 60], { at: 10_002 })],
    about: order,
    expected: ["@0 transformed s seq=0", "@4 transformed s seq=2", "@5 late inference s 50..60 seq=1 t=50,60"],
  },
  {
    name: "a new boot releases what waits and starts the order anew; the old boot is behind then",
    log: [
      data("s", 0, [0], { boot: "a" }),
      data("s", 2, [100], { boot: "a" }),
      data("s", 7, [200], { boot: "b" }),
      data("s", 1, [50], { boot: "a" }),
    ],
    about: order,
    expected: [
      "@0 transformed s seq=0 boot=a",
      "@2 transformed s seq=2 boot=a",
      "@2 transformed s seq=7 boot=b",
      "@3 late inference s 50..50 seq=1 t=50",
    ],
  },
  {
    name: "a step outputs late for windows, windows, late for sessions, sessions, released messages, then what is due",
    log: [data("s", 5, [10_000]), data("s", 4, [2500, 7600, 10_000]), data("s", 9, [13_000])],
    expected: [
      "@0 started s@10000",
      "@0 transformed s seq=5",
      // The watermark is 9500. The window [2000, 3000) was discarded at 8000, and 2500 is late for sessions from 9500
      // on. 7600 is more than the gap before 10000, and its session is over at 9600.
      "@1 late window s 2000..3000 seq=4 t=2500",
      "@1 window s 7000..8000 r0 late n=1",
      "@1 late session s 2500..4500 seq=4 t=2500",
      "@1 started s@7600",
      "@1 late inference s 2500..10000 seq=4 t=2500,7600,10000",
      "@2 started s@13000",
      // The watermark is 12500. Message 9 waits for 6 until the watermark passes its first sample; both sessions end.
      "@2 window s 10000..11000 r0 watermark n=2",
      "@2 ended s@7600..7600 n=1 r0 watermark",
      "@2 ended s@10000..10000 n=2 r0 watermark",
    ],
  },
  {
    name: "outputs carry the trace context of the record that caused them",
    log: [
      data("s", 0, [0]),
      { ...data("s", 1, [1500]), headers: { traceparent: "00-1" } },
      { ...tick(1501), headers: { type: "tick", traceparent: "00-2" } },
      { ...raw("s", 1502, "{"), headers: { traceparent: "00-3" } },
    ],
    flush: true,
    about: /window|dead/,
    show: (output) => `${line(output)} ${output.headers["traceparent"]}`,
    expected: [
      "@1 window s 0..1000 r0 watermark n=1 00-1",
      "@3 dead-letter s invalid-json 00-3",
      "@3 window s 1000..2000 r0 end-of-input n=1 00-3",
    ],
  },
  {
    name: "an id is the causing record's position and a count per output topic, for ticks too",
    log: [data("s", 0, [0, 1000]), data("s", 1, [2500]), ...silence(2500)],
    about: /window|ended|started/,
    show: place,
    expected: [
      "new-session-topic imu-data-all/0/0/0",
      "sensor-data-aggregated imu-data-all/0/1/0",
      "sensor-data-aggregated imu-data-all/0/1/1",
      "sensor-data-aggregated imu-data-all/0/4/0",
      "new-session-topic imu-data-all/0/4/0",
    ],
  },
  {
    name: "when more messages wait than may, the oldest is released as if its gap were given up",
    settings: { maxWaitingMessages: 2 },
    log: [data("s", 0, [0]), data("s", 2, [100]), data("s", 4, [200]), data("s", 5, [300])],
    about: /transformed/,
    expected: ["@0 transformed s seq=0", "@3 transformed s seq=2"],
  },
  {
    name: "when more bytes wait than may, eight for each time and value, the oldest is released",
    // A sample has a time and six values.
    settings: { maxWaitingBytes: 2 * 7 * 8 },
    log: [data("s", 0, [0]), data("s", 2, [100, 110]), data("s", 4, [200]), data("s", 5, [210])],
    about: /transformed/,
    expected: ["@0 transformed s seq=0", "@2 transformed s seq=2"],
  },
  {
    name: "over the limit of let-go boots, a boot never heard of is new only with readings after theirs",
    settings: { maxBootsPerSensor: 1, maxLetGoBootsPerSensor: 1 },
    log: [
      data("s", 0, [100], { boot: "a" }),
      data("s", 0, [200], { boot: "b" }),
      data("s", 0, [300], { boot: "c" }),
      data("s", 1, [150], { boot: "a" }),
      data("s", 0, [100], { boot: "d" }),
    ],
    about: /transformed|dead/,
    expected: [
      "@0 transformed s seq=0 boot=a",
      "@1 transformed s seq=0 boot=b",
      "@2 transformed s seq=0 boot=c",
      "@3 transformed s seq=1 boot=a",
      "@4 dead-letter s sequence-unknown",
    ],
  },
];
