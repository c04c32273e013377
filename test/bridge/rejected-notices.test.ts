import { beforeEach, expect, test } from "@jest/globals";
import { Metrics } from "../../adapters/metrics.ts";
import { MOST_NOTICES, RejectedNotices, type Letter } from "../../bridge/rejected-notices.ts";

const NOW = 1_657_533_977_000;
let published: [topic: string, notice: unknown][];
let connected: boolean;
let metrics: Metrics;
let notices: RejectedNotices;

beforeEach(() => {
  [published, connected, metrics] = [[], true, new Metrics()];
  notices = new RejectedNotices((topic, payload) => {
    if (connected) published.push([topic, JSON.parse(payload)]);
    return connected;
  }, metrics);
});

function letter(key: string | null, changes: Partial<Letter> = {}): Letter {
  return {
    partition: 0,
    offset: 1,
    timestamp: NOW,
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from('{"seq":4,"boot":"b2"}'),
    headers: {
      "error-code": "invalid-message",
      "error-message": "t is missing",
      stage: "decode",
      "source-topic": "imu-data-all",
      "source-partition": "0",
      "source-offset": "7",
    },
    ...changes,
  };
}

const counts = (): unknown[] => {
  const { "bridge.notices": sent, "bridge.notices-held-back": heldBack } = metrics.snapshot();
  return [sent ?? 0, heldBack ?? 0];
};

test("a device is notified of why and which", () => {
  notices.take(letter("s1"), NOW);
  expect(published).toEqual([
    ["rejected/s1", { code: "invalid-message", message: "t is missing", seq: 4, boot: "b2" }],
  ]);
});

test("a device gets one notice in a second, whatever the calendar's second", () => {
  for (const after of [900, 1_100, 1_899, 1_900]) notices.take(letter("s1"), NOW + after);
  notices.take(letter("s2"), NOW + 1_900);
  expect(published.map(([topic]) => topic)).toEqual(["rejected/s1", "rejected/s1", "rejected/s2"]);
  expect(counts()).toEqual([3, 2]);
});

test("all devices together get a hundred in a second, as IoT Core takes from a connection", () => {
  for (let i = 0; i < 150; i++) notices.take(letter(`s${i}`), NOW);
  expect(published).toHaveLength(100);
  expect(MOST_NOTICES).toBe(100);
  notices.take(letter("s149"), NOW + 1_000);
  expect(published).toHaveLength(101);
  expect(counts()).toEqual([101, 50]);
});

test("what can't be sent is held back, and the device may be notified at once when it can", () => {
  connected = false;
  notices.take(letter("s1"), NOW);
  connected = true;
  notices.take(letter("s1"), NOW + 1);
  expect(published).toHaveLength(1);
  expect(counts()).toEqual([1, 1]);
});

test("old letters, letters of trades and letters without a valid sensor are no notices", () => {
  notices.take(letter("s1", { timestamp: NOW - 60_001 }), NOW);
  notices.take(letter("AAPL", { headers: { ...letter("s1").headers, "source-topic": "market-trades" } }), NOW);
  notices.take(letter("a/b", { headers: { stage: "bridge", "mqtt-topic": "imu/a/b" } }), NOW);
  notices.take(letter(null), NOW);
  expect(published).toEqual([]);
  expect(counts()).toEqual([0, 0]);
});
