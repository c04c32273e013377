import { expect, test } from "@jest/globals";
import { MAX_MESSAGE_BYTES } from "../../domain/api.ts";
import { sessionRecord } from "../../domain/records.ts";
import { toMessage, type Message, type Subject } from "../../live/messages.ts";
import { SendQueue, type Frame } from "../../live/send-queue.ts";
import { ended } from "../lambda/records.ts";

const symbol: Subject = { symbol: "AAPL" };
const none = { samples: 0, trades: 0 };
const counts: Partial<Record<Message["type"], number>> = { samples: 10, trade: 1 };

function message(type: Message["type"], name: string, bytes = 100, droppable = counts[type] ?? null): Message {
  const text = JSON.stringify({ type, name, fill: "" });
  return {
    type,
    subject: type === "trade" ? symbol : { sensorId: "s1" },
    text: text.replace('"fill":""', `"fill":"${"x".repeat(bytes - text.length)}"`),
    bytes,
    droppable,
    record: null,
  };
}
const names = ({ text }: Frame): unknown[] =>
  [JSON.parse(text) as { name?: string; type: string; data?: unknown }].flat().map(({ name, data }) => name ?? data);

test("one message is a frame, several are an array, in order", () => {
  const queue = new SendQueue();
  expect(queue.takeFrame()).toEqual({ text: "", messages: [] });
  queue.push([message("window", "a")]);
  expect(JSON.parse(queue.takeFrame().text)).toMatchObject({ name: "a" });
  queue.push([message("samples", "b"), message("window", "c")]);
  queue.push([message("session", "d")]);
  expect(names(queue.takeFrame())).toEqual(["b", "c", "d"]);
  expect(queue.isEmpty).toBe(true);
});

test("frames stay under 32 KB", () => {
  const queue = new SendQueue();
  queue.push(Array.from({ length: 10 }, (_, i) => message("window", String(i), 10_000)));
  const frames = Array.from({ length: 4 }, () => queue.takeFrame());
  expect(frames.map((frame) => names(frame).length)).toEqual([3, 3, 3, 1]);
  expect(Math.max(...frames.map(({ text }) => Buffer.byteLength(text)))).toBeLessThan(32 * 1024);
});

test("above its bound the oldest samples are dropped and reported, and nothing else is", () => {
  const queue = new SendQueue({ droppableBytes: 1_000, otherBytes: 10_000 });
  expect(queue.push([message("window", "w0"), message("samples", "old", 400)])).toEqual(none);
  expect(queue.push([message("samples", "middle", 400), message("session", "s0")])).toEqual(none);
  expect(queue.push([message("samples", "new", 400)])).toEqual({ samples: 20, trades: 0 });
  expect(names(queue.takeFrame())).toEqual([{ sensorId: "s1", samples: 20 }, "w0", "s0", "new"]);
  expect(queue.isEmpty).toBe(true);
});

test("trades are dropped as samples are, each symbol's counted apart; bars and alerts are not", () => {
  const queue = new SendQueue({ droppableBytes: 1_000, otherBytes: 10_000 });
  const trades = Array.from({ length: 4 }, (_, i) => message("trade", `t${i}`, 200));
  const other: Message = { ...message("trade", "m0", 200), subject: { symbol: "MSFT" } };
  expect(queue.push([message("bar", "b0"), ...trades, other])).toEqual(none);
  expect(queue.push([message("alert", "a0", 900), message("samples", "s0", 200)])).toEqual({ samples: 0, trades: 4 });
  expect(names(queue.takeFrame())).toEqual([{ symbol: "AAPL", trades: 4 }, "b0", "m0", "a0", "s0"]);
  expect(queue.bytes).toBe(0);
});

test("when the windows alone exceed their bound, the connection must be closed", () => {
  const queue = new SendQueue({ droppableBytes: 1_000, otherBytes: 1_000 });
  expect(queue.push([message("window", "a", 600)])).toEqual(none);
  expect(queue.push([message("window", "b", 600)])).toBeNull();
});

test("a message up to API Gateway's 128 KB is a frame of its own", () => {
  const queue = new SendQueue();
  queue.push([message("window", "a"), message("session", "big", MAX_MESSAGE_BYTES), message("window", "c")]);
  expect(Array.from({ length: 3 }, () => names(queue.takeFrame()))).toEqual([["a"], ["big"], ["c"]]);
});

test("of a frame that was refused the client is notices what it misses, once", () => {
  const queue = new SendQueue();
  queue.push([
    toMessage({ type: "session", data: sessionRecord.parse(ended("s1", 5, 9, 2)) }),
    message("samples", "x", 100, 7),
  ]);
  const refused = queue.takeFrame();
  queue.omit(refused.messages);
  const notices = queue.takeFrame();
  expect([JSON.parse(notices.text)].flat()).toEqual([
    { type: "dropped", data: { sensorId: "s1", samples: 7 } },
    {
      type: "omitted",
      data: {
        sensorId: "s1",
        type: "session",
        id: ended("s1", 5, 9, 2)["id"],
        bytes: refused.messages[0]!.bytes,
        path: "/sessions/s1%405",
        table: "sessions",
      },
    },
  ]);
  queue.omit(notices.messages);
  expect(queue.isEmpty).toBe(true);
  expect(queue.bytes).toBe(0);
});

test("connections that get the same messages share a frame; one that missed some has its own", () => {
  const [a, b, c] = ["a", "b", "c"].map((name) => message("window", name));
  const queues = Array.from({ length: 3 }, () => new SendQueue());
  for (const queue of queues) queue.push([a!, b!]);
  queues[2]!.push([c!]);
  const [first, second, third] = queues.map((queue) => queue.takeFrame());
  expect(second).toBe(first);
  expect(names(third!)).toEqual(["a", "b", "c"]);
  expect([first!.body.toString(), first!.sha256.length]).toEqual([first!.text, 64]);
  // A frame with a notice for one client is not shared.
  const slow = new SendQueue({ droppableBytes: 150, otherBytes: 10_000 });
  slow.push([message("samples", "x"), message("samples", "y"), a!, b!]);
  expect(names(slow.takeFrame())).toEqual([{ sensorId: "s1", samples: 20 }, "a", "b"]);
});
