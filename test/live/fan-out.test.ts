import { expect, test } from "@jest/globals";
import { Metrics } from "../../adapters/metrics.ts";
import { windowRecord } from "../../domain/records.ts";
import { FanOut, fanOutDefaults, type ConnectionsPort, type Pacer, type PostOutcome } from "../../live/fan-out.ts";
import { toMessage, type Message } from "../../live/messages.ts";
import { audiences } from "../../live/subscriptions.ts";
import { windowed } from "../lambda/records.ts";
import { eventually } from "../support/eventually.ts";

const options = {
  ...fanOutDefaults,
  framesPerSecond: { partial: 1e9, full: 1e9 },
  frameIntervalMs: { min: 0, max: 0 },
  backoffMs: { first: 1, max: 4 },
};
const message = (name: string): Message => ({
  type: "window",
  subject: { sensorId: "s1" },
  text: JSON.stringify(name),
  bytes: name.length + 2,
  droppable: null,
  record: null,
});

/** A port whose posts end when the test says so. */
function manualPort(): ConnectionsPort & {
  readonly posts: { id: string; frame: string; end: (outcome: PostOutcome) => void }[];
  readonly forgotten: string[];
  readonly closed: string[];
} {
  const posts: { id: string; frame: string; end: (outcome: PostOutcome) => void }[] = [];
  const forgotten: string[] = [];
  const closed: string[] = [];
  return {
    posts,
    forgotten,
    closed,
    post: (id, { text: frame }) => new Promise((end) => posts.push({ id, frame, end })),
    forget: async (id) => void forgotten.push(id),
    close: async (id) => void closed.push(id),
  };
}

test("a connection has one frame in flight; later messages share the next; none waits for another", async () => {
  const port = manualPort();
  const fanOut = new FanOut(port, new Metrics(), options);
  fanOut.update(new Set(["a", "b"]));
  fanOut.send("a", [message("1")]);
  fanOut.send("b", [message("1")]);
  await eventually(() => expect(port.posts).toHaveLength(2));
  fanOut.send("a", [message("2")]);
  fanOut.send("a", [message("3")]);
  fanOut.send("unknown", [message("1")]);
  port.posts[1]!.end("sent");
  expect(port.posts.map(({ id, frame }) => [id, frame])).toEqual([
    ["a", '"1"'],
    ["b", '"1"'],
  ]);
  port.posts[0]!.end("sent");
  await eventually(() => expect(port.posts).toHaveLength(3));
  expect(port.posts[2]).toMatchObject({ id: "a", frame: '["2","3"]' });
});

test("a frame to retry is sent again before any other; a refused frame is not", async () => {
  const port = manualPort();
  const fanOut = new FanOut(port, new Metrics(), options);
  fanOut.update(new Set(["a"]));
  fanOut.send("a", [message("1")]);
  await eventually(() => expect(port.posts).toHaveLength(1));
  fanOut.send("a", [message("2")]);
  port.posts[0]!.end("retry");
  await eventually(() => expect(port.posts).toHaveLength(2));
  port.posts[1]!.end("refused");
  await eventually(() => expect(port.posts).toHaveLength(3));
  expect(port.posts.map(({ frame }) => frame)).toEqual(['"1"', '"1"', '"2"']);
});

test("a connection that is gone is removed once, even while the list still has it", async () => {
  const port = manualPort();
  const metrics = new Metrics();
  const fanOut = new FanOut(port, metrics, options);
  fanOut.update(new Set(["a"]));
  fanOut.send("a", [message("1")]);
  await eventually(() => expect(port.posts).toHaveLength(1));
  port.posts[0]!.end("gone");
  await eventually(() => expect(port.forgotten).toHaveLength(1));
  fanOut.update(new Set(["a"]));
  fanOut.send("a", [message("2")]);
  expect(metrics.snapshot()["live.connections"]).toBe(0);
  fanOut.update(new Set());
  // API Gateway never uses an id twice, but nothing here depends on that.
  fanOut.update(new Set(["a"]));
  fanOut.send("a", [message("3")]);
  await eventually(() => expect(port.posts).toHaveLength(2));
  expect(port.posts[1]!.frame).toBe('"3"');
  expect(port.forgotten).toEqual(["a"]);
});

test("a client too slow for its windows is disconnected", async () => {
  const port = manualPort();
  const fanOut = new FanOut(port, new Metrics(), options);
  fanOut.update(new Set(["a"]));
  for (let i = 0; i < 100 && port.closed.length === 0; i++) fanOut.send("a", [{ ...message("w"), bytes: 1024 * 1024 }]);
  expect(port.closed).toEqual(["a"]);
});

/** A clock that a test turns, and the pauses that were asked of it. */
function manualPacer(): Pacer & { readonly pauses: { ms: number; end: () => void }[]; nowMs: number } {
  const pauses: { ms: number; end: () => void }[] = [];
  const pacer = {
    pauses,
    nowMs: 0,
    now: () => pacer.nowMs,
    pause: (ms: number) => new Promise<void>((end) => pauses.push({ ms, end })),
  };
  return pacer;
}

test("the next frame of a connection waits until its share of the frames a second has passed", async () => {
  const port = manualPort();
  const pacer = manualPacer();
  const paced = { ...options, framesPerSecond: { partial: 500, full: 2_000 }, frameIntervalMs: { min: 2, max: 100 } };
  const fanOut = new FanOut(port, new Metrics(), paced, pacer);
  const ids = Array.from({ length: 10 }, (_, i) => `c${i}`);
  fanOut.update(new Set(ids));
  for (const id of ids) fanOut.send(id, [message("1")]);
  await eventually(() => expect(port.posts).toHaveLength(10));
  fanOut.send("c0", [message("2")]);
  fanOut.send("c0", [message("3")]);
  pacer.nowMs = 5;
  port.posts[0]!.end("sent");
  // Ten connections have 20 ms each; the post has taken 5 of them.
  await eventually(() => expect(pacer.pauses.map(({ ms }) => ms)).toEqual([15]));
  expect(port.posts).toHaveLength(10);
  pacer.pauses[0]!.end();
  await eventually(() => expect(port.posts).toHaveLength(11));
  expect(port.posts[10]).toMatchObject({ id: "c0", frame: '["2","3"]' });
});

test.each([
  ["one connection", 1, 2],
  ["a hundred connections", 100, 100],
])("the pause of %s is within its bounds", async (_, count, expected) => {
  const port = manualPort();
  const pacer = manualPacer();
  const paced = { ...options, framesPerSecond: { partial: 500, full: 2_000 }, frameIntervalMs: { min: 2, max: 100 } };
  const fanOut = new FanOut(port, new Metrics(), paced, pacer);
  const ids = Array.from({ length: count }, (__, i) => `c${i}`);
  fanOut.update(new Set(ids));
  for (const id of ids) fanOut.send(id, [message("1")]);
  await eventually(() => expect(port.posts).toHaveLength(count));
  port.posts[0]!.end("sent");
  await eventually(() => expect(pacer.pauses.map(({ ms }) => ms)).toEqual([expected]));
});

test("what fills a frame does not wait for more, and frames fall on multiples of their interval", async () => {
  const port = manualPort();
  const pacer = manualPacer();
  const paced = { ...options, framesPerSecond: { partial: 10, full: 100 }, frameIntervalMs: { min: 2, max: 100 } };
  const fanOut = new FanOut(port, new Metrics(), paced, pacer);
  fanOut.update(new Set(["a"]));
  pacer.nowMs = 1_033;
  fanOut.send("a", [message("1")]);
  await eventually(() => expect(port.posts).toHaveLength(1));
  pacer.nowMs = 1_034;
  port.posts[0]!.end("sent");
  await eventually(() => expect(pacer.pauses.map(({ ms }) => ms)).toEqual([66]));
  const large = { ...message("2"), bytes: 20_000 };
  fanOut.send("a", [large, large, large, large]);
  pacer.nowMs = 1_103;
  pacer.pauses[0]!.end();
  await eventually(() => expect(port.posts).toHaveLength(2));
  port.posts[1]!.end("sent");
  await eventually(() => expect(pacer.pauses.map(({ ms }) => ms)).toEqual([66, 7]));
});

test("the latency counts of a window that was due, and not of a revision, when its frame was taken", async () => {
  const port = manualPort();
  const metrics = new Metrics();
  const fanOut = new FanOut(port, metrics, options);
  fanOut.update(new Set(["a"]));
  const seen = (start: number, more: object): Message =>
    toMessage({ type: "window", data: { ...windowRecord.parse(windowed("s1", start)), ...more } });
  const minuteAgo = Date.now() - 60_000;
  // A window of a second whose end was 59 s ago.
  fanOut.send("a", [
    seen(minuteAgo, { revision: 0, cause: "watermark" }),
    seen(minuteAgo, { revision: 1, cause: "late" }),
    seen(minuteAgo, { revision: 0, cause: "idle" }),
  ]);
  await eventually(() => expect(port.posts).toHaveLength(1));
  expect(metrics.snapshot()["live.event-to-visible"]).toBeUndefined();
  port.posts[0]!.end("sent");
  await eventually(() => expect(metrics.snapshot()["live.event-to-visible"]).toMatchObject({ count: 1 }));
  const { p50 } = metrics.snapshot()["live.event-to-visible"] as { p50: number };
  expect(p50).toBeGreaterThanOrEqual(59_000);
  expect(p50).toBeLessThan(60_000);
});

test("of a frame that will never be accepted the client is told", async () => {
  const port = manualPort();
  const metrics = new Metrics();
  const fanOut = new FanOut(port, metrics, options);
  fanOut.update(new Set(["a"]));
  fanOut.send("a", [toMessage({ type: "window", data: windowRecord.parse(windowed("s1", 1_000)) })]);
  await eventually(() => expect(port.posts).toHaveLength(1));
  port.posts[0]!.end("refused");
  await eventually(() => expect(port.posts).toHaveLength(2));
  expect(JSON.parse(port.posts[1]!.frame)).toMatchObject({
    type: "omitted",
    data: { sensorId: "s1", type: "window", path: "/sensors/s1/windows?from=1000&to=2000" },
  });
  expect(metrics.snapshot()["live.omitted"]).toBe(1);
});

test("when too much waits in all, the connection that most waits for is closed", () => {
  const port = manualPort();
  const metrics = new Metrics();
  const fanOut = new FanOut(port, metrics, { ...options, maxWaitingBytes: 1_000 });
  fanOut.update(new Set(["a", "b", "c"]));
  fanOut.send("a", [{ ...message("w"), bytes: 300 }]);
  fanOut.send("b", [{ ...message("w"), bytes: 600 }]);
  fanOut.send("c", [{ ...message("w"), bytes: 100 }]);
  expect(port.closed).toEqual([]);
  fanOut.send("c", [{ ...message("w"), bytes: 100 }]);
  expect(port.closed).toEqual(["b"]);
  fanOut.send("c", [{ ...message("w"), bytes: 500 }]);
  expect(port.closed).toEqual(["b"]);
  expect(metrics.snapshot()["live.closed-connections"]).toBe(1);
});

test("a connection too many is closed, and those before it stay", () => {
  const port = manualPort();
  const metrics = new Metrics();
  const fanOut = new FanOut(port, metrics, { ...options, maxConnections: 2 });
  fanOut.update(new Set(["b", "c"]));
  fanOut.update(new Set(["a", "b", "c"]));
  fanOut.update(new Set(["a", "b", "c"]));
  expect(port.closed).toEqual(["a"]);
  expect(metrics.snapshot()["live.connections"]).toBe(2);
  fanOut.update(new Set(["c", "d"]));
  expect(port.closed).toEqual(["a"]);
});

test("each sensor has the connections that want all of it, and those that want one of its sessions", () => {
  const of = (
    connectionId: string,
    sensors: string[],
    sessions: string[] = [],
    symbols: string[] = [],
  ): Parameters<typeof audiences>[0] extends Iterable<infer T> ? T : never => ({
    connectionId,
    sensors: new Set(sensors),
    sessions: new Set(sessions),
    symbols: new Set(symbols),
    resumes: new Set(),
  });
  const { sensors, ofOthers, symbols } = audiences([
    of("a", ["s1", "s2"], ["s1@5"], ["s1"]),
    of("b", ["s1"]),
    of("c", [], ["s1@5", "s3@1.5"], ["s1", "AAPL"]),
    of("d", [], ["s1@5"]),
    of("e", []),
  ]);
  expect(ofOthers).toBeNull();
  // A symbol may have the name of a sensor.
  expect(Object.fromEntries(symbols)).toEqual({ s1: ["a", "c"], AAPL: ["c"] });
  expect(Object.fromEntries(sensors)).toEqual({
    s1: { all: ["a", "b"], sessions: [{ sessionId: "s1@5", start: 5, connectionIds: ["c", "d"] }] },
    s2: { all: ["a"], sessions: [] },
    s3: { all: [], sessions: [{ sessionId: "s3@1.5", start: 1.5, connectionIds: ["c"] }] },
  });
});

test("who wants all sensors is in the audience of each of them once", () => {
  const { sensors, ofOthers, symbols } = audiences([
    {
      connectionId: "a",
      sensors: new Set(["*", "s1"]),
      sessions: new Set(["s2@5"]),
      symbols: new Set(["AAPL"]),
      resumes: new Set(),
    },
    { connectionId: "b", sensors: new Set(["s1"]), sessions: new Set(), symbols: new Set(), resumes: new Set() },
  ]);
  expect(Object.fromEntries(sensors)).toEqual({ s1: { all: ["b", "a"], sessions: [] } });
  expect(ofOthers).toEqual({ all: ["a"], sessions: [] });
  expect(Object.fromEntries(symbols)).toEqual({ AAPL: ["a"] });
});
