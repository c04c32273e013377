import { data, type Rule, tick } from "./rule.ts";

const silence = (from: number): ReturnType<typeof tick>[] => [
  tick(from + 5_000),
  tick(from + 10_000),
  tick(from + 10_001),
];
const about = /session|started|ended/;

/** Rows whose accelerations have these magnitudes. */
const accelerations = (...magnitudes: number[]): number[][] => magnitudes.map((a) => [0, a, 0, 1, 1, 1]);

export const sessionRules: Rule[] = [
  {
    name: "a session starts with its first sample and ends when the watermark reaches its last sample plus the gap",
    log: [data("s", 0, [0, 100]), data("s", 1, [2599]), data("s", 2, [2600])],
    about,
    expected: ["@0 started s@0", "@1 started s@2599", "@2 ended s@0..100 n=2 r0 watermark"],
  },
  {
    name: "samples exactly the gap apart belong together",
    log: [data("s", 0, [0]), data("s", 1, [2000]), data("s", 2, [4001])],
    about,
    expected: ["@0 started s@0", "@2 started s@4001"],
  },
  {
    name: "a message may hold several sessions",
    log: [data("s", 0, [0, 5000])],
    about,
    expected: ["@0 started s@0", "@0 started s@5000", "@0 ended s@0..0 n=1 r0 watermark"],
  },
  {
    name: "late data that extends an ended session ends it again at once",
    // The watermark is 4000: exactly 2000 plus the gap.
    log: [data("s", 0, [0]), data("s", 1, [4500]), data("s", 2, [2000])],
    about,
    expected: [
      "@0 started s@0",
      "@1 started s@4500",
      "@1 ended s@0..0 n=1 r0 watermark",
      "@2 ended s@0..2000 n=2 r1 late",
    ],
  },
  {
    name: "late data within an ended session ends it again",
    log: [data("s", 0, [0, 1000]), data("s", 1, [6000]), data("s", 2, [500])],
    about,
    expected: [
      "@0 started s@0",
      "@1 started s@6000",
      "@1 ended s@0..1000 n=2 r0 watermark",
      "@2 ended s@0..1000 n=3 r1 late",
    ],
  },
  {
    name: "an ended session that late data opens again ends when it is due",
    log: [data("s", 0, [0]), data("s", 1, [2600]), data("s", 2, [500]), data("s", 3, [3000])],
    about,
    expected: [
      "@0 started s@0",
      "@1 started s@2600",
      "@1 ended s@0..0 n=1 r0 watermark",
      "@3 ended s@0..500 n=2 r1 watermark",
    ],
  },
  {
    name: "an earlier start gives a new id that supersedes the old one, announced by started while the session is open",
    log: [data("s", 0, [1000]), data("s", 1, [600])],
    flush: true,
    about,
    expected: ["@0 started s@1000", "@1 started s@600 supersedes s@1000", "@1 ended s@600..1000 n=2 r0 end-of-input"],
  },
  {
    name: "a new id whose session is not open appears in ended alone",
    log: [data("s", 0, [1000]), data("s", 1, [6000]), data("s", 2, [500])],
    about,
    expected: [
      "@0 started s@1000",
      "@1 started s@6000",
      "@1 ended s@1000..1000 n=1 r0 watermark",
      "@2 ended s@500..1000 n=2 r0 late supersedes s@1000",
    ],
  },
  {
    name: "a session that joins a later one keeps its id and supersedes the later one's",
    log: [data("s", 0, [0]), data("s", 1, [3000]), data("s", 2, [1500]), data("s", 3, [5500])],
    about,
    expected: [
      "@0 started s@0",
      "@1 started s@3000",
      "@1 ended s@0..0 n=1 r0 watermark",
      "@3 started s@5500",
      "@3 ended s@0..3000 n=3 r1 watermark supersedes s@3000",
    ],
  },
  {
    name: "each superseded id is named once, by the first record after it was swallowed",
    log: [data("s", 0, [1000]), data("s", 1, [600]), data("s", 2, [200])],
    about,
    expected: ["@0 started s@1000", "@1 started s@600 supersedes s@1000", "@2 started s@200 supersedes s@600"],
  },
  {
    name: "a reading is too late for sessions when the watermark has reached its time plus gap plus lateness",
    log: [data("s", 0, [10_000]), data("s", 1, [2400, 2500, 2501])],
    about,
    expected: [
      "@0 started s@10000",
      "@1 late session s 2400..4500 seq=1 t=2400,2500",
      "@1 ended s@2501..2501 n=1 r0 late",
    ],
  },
  {
    name: "readings too late for sessions are output as one record for each group that the gap separates",
    log: [data("s", 0, [20_000]), data("s", 1, [0, 2000, 4001])],
    about,
    expected: [
      "@0 started s@20000",
      "@1 late session s 0..4000 seq=1 t=0,2000",
      "@1 late session s 4001..6001 seq=1 t=4001",
    ],
  },
  {
    name: "a session is closed at its end plus gap plus lateness, and an accepted reading near it begins a new one",
    log: [data("s", 0, [0]), data("s", 1, [7500]), data("s", 2, [1000])],
    about,
    expected: [
      "@0 started s@0",
      "@1 started s@7500",
      "@1 ended s@0..0 n=1 r0 watermark",
      "@2 ended s@1000..1000 n=1 r0 late",
    ],
  },
  {
    name: "a reading within the gap reopens a session that ended by idleness, without a second started",
    log: [data("s", 0, [0]), ...silence(0), data("s", 1, [500], { at: 10_002 }), ...silence(10_002)],
    about,
    expected: ["@0 started s@0", "@3 ended s@0..0 n=1 r0 idle", "@7 ended s@0..500 n=2 r1 idle"],
  },
  {
    name: "a session that ended by idleness and did not change does not end again",
    log: [data("s", 0, [0]), ...silence(0), data("s", 1, [5000], { at: 10_002 })],
    flush: true,
    about,
    expected: [
      "@0 started s@0",
      "@3 ended s@0..0 n=1 r0 idle",
      "@4 started s@5000",
      "@4 ended s@5000..5000 n=1 r0 end-of-input",
    ],
  },
  {
    name: "a session whose mean acceleration is from 0.9 to 1.1 warns that g was sent instead of m/s²",
    // Means: 1.8 / 2 = 0.9, which a late 0.6 makes 2.4 / 3 = 0.8; then 1.125; then 2.2 / 2 = 1.1; then 0.875.
    log: [
      data("s", 0, [0, 100], { samples: accelerations(0.25, 1.55) }),
      data("s", 1, [3000], { samples: accelerations(1.125) }),
      data("s", 2, [50], { samples: accelerations(0.6) }),
      data("s", 3, [6000, 6100], { samples: accelerations(1, 1.2) }),
      data("s", 4, [9000], { samples: accelerations(0.875) }),
    ],
    flush: true,
    about: /ended/,
    expected: [
      "@1 ended s@0..100 n=2 r0 watermark warns acceleration-in-g",
      "@2 ended s@0..100 n=3 r1 late",
      "@3 ended s@3000..3000 n=1 r0 watermark",
      "@4 ended s@6000..6100 n=2 r0 watermark warns acceleration-in-g",
      "@4 ended s@9000..9000 n=1 r0 end-of-input",
    ],
  },
];
