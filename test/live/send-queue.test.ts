import { expect, test } from "@jest/globals";
import type { Message } from "../../live/messages.ts";
import { Outbox } from "../../live/outbox.ts";

function message(type: Message["type"], name: string, bytes = 100, samples = type === "samples" ? 10 : 0): Message {
  const text = JSON.stringify({ type, name, fill: "" });
  return {
    type,
    sensorId: "s1",
    text: text.replace('"fill":""', `"fill":"${"x".repeat(bytes - text.length)}"`),
    bytes,
    samples,
  };
}
const names = (frame: string): unknown[] =>
  [JSON.parse(frame) as { name?: string; type: string; data?: unknown }].flat().map(({ name, data }) => name ?? data);

test("one message is a frame, several are an array, in order", () => {
  const outbox = new Outbox();
  expect(outbox.takeFrame()).toBe("");
  outbox.push([message("window", "a")]);
  expect(JSON.parse(outbox.takeFrame())).toMatchObject({ name: "a" });
  outbox.push([message("samples", "b"), message("window", "c")]);
  outbox.push([message("session", "d")]);
  expect(names(outbox.takeFrame())).toEqual(["b", "c", "d"]);
  expect(outbox.isEmpty).toBe(true);
});

test("frames stay under 32 KB", () => {
  const outbox = new Outbox();
  outbox.push(Array.from({ length: 10 }, (_, i) => message("window", String(i), 10_000)));
  const frames = Array.from({ length: 4 }, () => outbox.takeFrame());
  expect(frames.map((frame) => names(frame).length)).toEqual([3, 3, 3, 1]);
  expect(Math.max(...frames.map((frame) => Buffer.byteLength(frame)))).toBeLessThan(32 * 1024);
});

test("over its bound the oldest samples are dropped and told, and nothing else", () => {
  const outbox = new Outbox({ samplesBytes: 1_000, otherBytes: 10_000 });
  expect(outbox.push([message("window", "w0"), message("samples", "old", 400)])).toBe(0);
  expect(outbox.push([message("samples", "middle", 400), message("session", "s0")])).toBe(0);
  expect(outbox.push([message("samples", "new", 400)])).toBe(20);
  expect(names(outbox.takeFrame())).toEqual([{ sensorId: "s1", samples: 20 }, "w0", "s0", "new"]);
  expect(outbox.isEmpty).toBe(true);
});

test("when even windows exceed their bound the connection is given up", () => {
  const outbox = new Outbox({ samplesBytes: 1_000, otherBytes: 1_000 });
  expect(outbox.push([message("window", "a", 600)])).toBe(0);
  expect(outbox.push([message("window", "b", 600)])).toBeNull();
});
