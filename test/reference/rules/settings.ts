import { data, raw, type Rule, settings, tick } from "./rule.ts";

/** Rules of settings records. `settings(at, …)` has the settings of the examples, with what is given. */
export const settingsRules: Rule[] = [
  {
    name: "settings change at a settings record alone: what was not written as it is fires there",
    log: [
      data("s", 0, [0]),
      data("s", 1, [1500]),
      settings(1500, { windowMs: 3000, slideMs: 3000 }),
      data("s", 2, [4000]),
      data("s", 3, [6500]),
    ],
    about: /window|started|ended/,
    expected: [
      "@0 started s@0",
      "@1 window s 0..1000 r0 watermark n=1",
      "@2 window s 1000..2000 r0 settings n=1",
      "@2 ended s@0..1500 n=2 r0 settings",
      "@3 started s@4000",
      "@4 started s@6500",
      "@4 window s 3000..6000 r0 watermark n=1",
      "@4 ended s@4000..4000 n=1 r0 watermark",
    ],
  },
  {
    name: "what begins at or before the highest event time is final at a switch, whatever its geometry",
    log: [
      data("s", 0, [1500]),
      settings(1500, { windowMs: 3000, slideMs: 3000 }),
      settings(1500, {}),
      data("s", 1, [1400]),
      data("s", 2, [1600]),
      data("s", 3, [2100]),
    ],
    about: /window|session|started|ended/,
    expected: [
      "@0 started s@1500",
      "@1 window s 1000..2000 r0 settings n=1",
      "@1 ended s@1500..1500 n=1 r0 settings",
      "@3 late window s 1000..2000 seq=1 t=1400",
      "@3 late session s 1400..3400 seq=1 t=1400",
      "@4 late window s 1000..2000 seq=2 t=1600",
      "@4 started s@1600",
    ],
  },
  {
    name: "no setting moves a watermark back",
    // The watermark stays at 9,500, so that the message with a gap before it does not wait.
    log: [data("s", 0, [10_000]), settings(10_000, { outOfOrdernessMs: 2000 }), data("s", 2, [9000])],
    about: /transformed/,
    expected: ["@0 transformed s seq=0", "@2 transformed s seq=2"],
  },
  {
    name: "at a switch what waits for its order is released, and the order continues",
    log: [
      data("s", 0, [0]),
      data("s", 2, [100]),
      settings(100, { windowMs: 3000, slideMs: 3000 }),
      data("s", 1, [50]),
      data("s", 3, [200]),
    ],
    about: /transformed|inference/,
    expected: [
      "@0 transformed s seq=0",
      "@2 transformed s seq=2",
      "@3 late inference s 50..50 seq=1 t=50",
      "@4 transformed s seq=3",
    ],
  },
  {
    name: "an idle sensor's windows do not fire again at a switch, and are final",
    log: [
      data("s", 0, [0]),
      tick(5000),
      tick(10_000),
      tick(10_001),
      settings(10_001, { windowMs: 3000, slideMs: 3000 }),
      data("s", 1, [500], { at: 10_001 }),
    ],
    about: /window/,
    expected: ["@3 window s 0..1000 r0 idle n=1", "@5 late window s 0..3000 seq=1 t=500"],
  },
  {
    name: "sensors switch in byte order, as many as a step may, and one that waits switches before its own record",
    settings: { maxSensorsPerStep: 1 },
    log: [
      data("b", 0, [0]),
      data("a", 0, [0]),
      data("c", 0, [0]),
      settings(0, { windowMs: 3000, slideMs: 3000, maxSensorsPerStep: 1 }),
      data("c", 1, [100]),
    ],
    about: /window/,
    expected: [
      "@3 window a 0..1000 r0 settings n=1",
      "@4 window b 0..1000 r0 settings n=1",
      "@4 window c 0..1000 r0 settings n=1",
      "@4 late window c 0..3000 seq=1 t=100",
    ],
  },
  {
    name: "settings that are in force already change nothing",
    log: [data("s", 0, [1500]), settings(1500, {}), data("s", 1, [2500])],
    about: /window/,
    expected: ["@2 window s 1000..2000 r0 watermark n=1"],
  },
  {
    name: "a change that was taken has no effect again",
    log: [
      settings(0, { windowMs: 3000, slideMs: 3000 }, "first"),
      settings(0, {}, "second"),
      settings(0, { windowMs: 3000, slideMs: 3000 }, "first"),
      data("s", 0, [0]),
      data("s", 1, [1500]),
    ],
    about: /window/,
    expected: ["@4 window s 0..1000 r0 watermark n=1"],
  },
  {
    name: "a settings record that is not whole and valid, or changes the watermark's scope, is dead-lettered",
    log: [
      raw(null, 0, null, { type: "settings", settings: '{"windowMs":3000}' }),
      settings(0, { slideMs: 2000 }),
      data("s", 0, [0]),
      settings(0, { watermark: "partition" }),
      data("s", 1, [1500]),
    ],
    about: /dead|window/,
    expected: [
      "@0 dead-letter null invalid-message",
      "@1 dead-letter null invalid-message",
      "@3 dead-letter null invalid-message",
      "@4 window s 0..1000 r0 watermark n=1",
    ],
  },
];
