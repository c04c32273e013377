import fc from "fast-check";

/**
 * What happens next in a stream, relative to the settings and to what has happened so far.
 *
 * - `message`: a device sends a new message.
 * - `resend`: a message that was sent comes again.
 * - `reuse`: the number of a message that was sent comes with other readings.
 * - `broken`: a record that breaks the contract.
 * - `ticks`: control records move the clock of a partition.
 * - `settings`: a settings record puts other settings in force, or none that are valid.
 *
 * `which` chooses among the messages sent, or the ways to break the contract, modulo their count. `advanceMs` moves the
 * record's timestamp.
 */
export type StreamEvent =
  | {
      kind: "message";
      sensor: number;
      from: From;
      nudgeMs: number;
      spacing: Spacing;
      count: number;
      number: "next" | "skip" | "jump" | "fill" | "old";
      boot: "same" | "new" | "old";
      values: Values;
      advanceMs: number;
      hz: boolean;
      packed: boolean;
    }
  | { kind: "resend"; which: number; advanceMs: number }
  | { kind: "reuse"; which: number; nudgeMs: number; advanceMs: number }
  | { kind: "broken"; which: number; sensor: number; advanceMs: number }
  | SettingsEvent
  | TicksEvent;

/** What happens in the streams of every pipeline. */
export type SettingsEvent = {
  kind: "settings";
  which: number;
  form: SettingsForm;
  advanceMs: number;
  partition: number;
};
export type TicksEvent = {
  kind: "ticks";
  count: number;
  advanceMs: number | "idle" | "past idle";
  partition: number;
};

/** Whether a settings record is of a change that was there before, or breaks the contract. */
export type SettingsForm = "new" | "change again" | "no JSON" | "one missing" | "contradiction" | "other scope";

/** Where a message's first sample lies. */
export type From =
  | "after the last"
  | "at the highest"
  | "on a window's start"
  | "when a window fires"
  | "when a window is discarded"
  | "a gap after"
  | "when a session ends"
  | "when a session is over"
  | "when a session is late"
  | "at the guard"
  | "far back"
  | "a bit back"
  | "at the beginning of time";
export type Spacing = "10" | "0" | "0.25" | "gap" | "beyond the gap" | "window" | "slide" | "ragged";
export type Values = "noise" | "constant" | "nearly constant" | "extreme" | "zero" | "in g";

/** How far a record's timestamp is from the one before. */
export const advanceMs = fc.constantFrom(0, 0, 1, 10, 100, 1000, 4999, 5000, 5001, 3_600_000, -2000);
/** 2^-12 ms is the distance between two doubles at today's epoch milliseconds. */
const nudgeMs = fc.constantFrom(0, 0, 0, 1, -1, 0.25, -0.25, 2 ** -12, -(2 ** -12), 50, -50);
export const which = fc.nat(50);
const sensor = fc.constantFrom(0, 0, 0, 1, 2, 3);

const message: fc.Arbitrary<StreamEvent> = fc.record({
  kind: fc.constant("message" as const),
  sensor,
  from: fc.constantFrom<From[]>(
    "after the last",
    "after the last",
    "after the last",
    "at the highest",
    "on a window's start",
    "when a window fires",
    "when a window is discarded",
    "a gap after",
    "when a session ends",
    "when a session is over",
    "when a session is late",
    "at the guard",
    "far back",
    "a bit back",
    "a bit back",
    "at the beginning of time",
  ),
  nudgeMs,
  spacing: fc.constantFrom<Spacing[]>("10", "10", "0", "0.25", "gap", "beyond the gap", "window", "slide", "ragged"),
  count: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 6 }) },
    { weight: 1, arbitrary: fc.integer({ min: 20, max: 60 }) },
  ),
  number: fc.constantFrom("next", "next", "next", "next", "skip", "jump", "fill", "fill", "old"),
  boot: fc.constantFrom("same", "same", "same", "same", "same", "same", "same", "new", "old"),
  values: fc.constantFrom<Values[]>("noise", "noise", "constant", "nearly constant", "extreme", "zero", "in g", "in g"),
  advanceMs,
  hz: fc.constantFrom(false, false, false, true),
  packed: fc.constantFrom(false, false, true),
});

export const settingsEvents: fc.Arbitrary<SettingsEvent> = fc.record({
  kind: fc.constant("settings" as const),
  which,
  form: fc.constantFrom<SettingsForm[]>(
    "new",
    "new",
    "new",
    "new",
    "new",
    "new",
    "change again",
    "no JSON",
    "one missing",
    "contradiction",
    "other scope",
  ),
  advanceMs,
  partition: fc.nat(1),
});

export const ticksEvents: fc.Arbitrary<TicksEvent> = fc.record({
  kind: fc.constant("ticks" as const),
  count: fc.integer({ min: 1, max: 5 }),
  advanceMs: fc.constantFrom(1, 1000, 5000, 100_000, "idle" as const, "past idle" as const),
  partition: fc.nat(1),
});

export const streamEvents: fc.Arbitrary<StreamEvent> = fc.oneof(
  { weight: 12, arbitrary: message },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("resend" as const), which, advanceMs }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reuse" as const), which, nudgeMs, advanceMs }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("broken" as const), which, sensor, advanceMs }) },
  { weight: 1, arbitrary: settingsEvents },
  { weight: 3, arbitrary: ticksEvents },
);
