import { createHash } from "node:crypto";
import { afterEach, describe, expect, jest, test } from "@jest/globals";
import { createLogger } from "../../adapters/log.ts";
import { Metrics } from "../../adapters/metrics.ts";
import { Bridge, type BridgeLimits, type Receiver, type Sender } from "../../bridge/bridge.ts";
import type { BridgeRecord } from "../../bridge/to-record.ts";
import { eventually } from "../support/eventually.ts";

const PARTITIONS = 10;

/** What is in Kafka, and what it refuses or does not take. */
class FakeKafka {
  readonly stored: BridgeRecord[] = [];
  sends = 0;
  /** Topics that do not exist, or all. */
  missing: string | null = null;
  /** Records with a longer value are refused for good. */
  maxBytes = Infinity;

  sender(): Sender {
    return {
      send: async (records) => {
        this.sends++;
        if (this.missing === "all" || records.some(({ topic }) => topic === this.missing))
          throw Object.assign(new Error("no such topic"), { type: "UNKNOWN_TOPIC_OR_PARTITION" });
        if (records.some(({ value }) => (value?.length ?? 0) > this.maxBytes))
          throw Object.assign(new Error("too large"), { type: "MESSAGE_TOO_LARGE" });
        this.stored.push(...records);
      },
      restart: async () => undefined,
      close: async () => undefined,
      partitionCounts: async () => new Map([["imu-data-all", PARTITIONS]]),
    };
  }

  values(topic: string): string[] {
    return this.stored.filter((record) => record.topic === topic && record.value).map(({ value }) => String(value));
  }
}

class FakeReceiver implements Receiver {
  subscribed = 2;
  readonly reconnected: string[] = [];
  left = 0;
  /** Clients whose sessions the bridge ended. */
  ended: readonly string[] | null = null;
  /** Called when the bridge asks clients to leave the group: "two" does. */
  onLeave: () => void = () => undefined;
  start(): void {}
  async leave(): Promise<readonly string[]> {
    this.left++;
    this.onLeave();
    return ["two"];
  }
  async stop(done: readonly string[]): Promise<void> {
    this.ended = done;
  }
  reconnect(client: string): void {
    this.reconnected.push(client);
  }
}

let bridge: Bridge;
afterEach(async () => {
  jest.useRealTimers();
  await bridge.stop(0);
});

function start(limits: Partial<BridgeLimits> = {}): {
  kafka: FakeKafka;
  receiver: FakeReceiver;
  metrics: Metrics;
  acknowledged: string[];
  publish: (topic: string, payload: string, client?: string) => void;
} {
  const kafka = new FakeKafka();
  const receiver = new FakeReceiver();
  const metrics = new Metrics();
  const acknowledged: string[] = [];
  bridge = new Bridge(
    () => kafka.sender(),
    ["imu-data-all"],
    { waitingBytes: 1_000_000, waitingLetters: 5, faultMs: 50, ...limits },
    metrics,
    createLogger("bridge", "silent"),
  );
  bridge.start(receiver);
  const publish = (topic: string, payload: string, client = "one"): void =>
    bridge.receive(client, { topic, payload: Buffer.from(payload), userProperties: [] }, () =>
      acknowledged.push(payload),
    );
  return { kafka, receiver, metrics, acknowledged, publish };
}

function counter(metrics: Metrics, name: string): unknown {
  return (metrics.snapshot() as Record<string, unknown>)[name];
}

describe("a client that leaves the group when the bridge stops", () => {
  test("still gets what was sent to it, and its session ends when all of that is acknowledged", async () => {
    const { kafka, acknowledged, publish, receiver } = start();
    receiver.onLeave = () => setTimeout(() => publish("imu/s1", "late", "two"), 300);
    publish("imu/s1", "early", "two");
    await bridge.stop(5_000);
    expect(kafka.values("imu-data-all")).toEqual(["early", "late"]);
    expect(acknowledged).toEqual(["early", "late"]);
    expect(receiver.ended).toEqual(["two"]);
  });

  test("keeps its session where Kafka did not take all of it", async () => {
    const { kafka, acknowledged, publish, receiver } = start();
    receiver.onLeave = () => {
      kafka.missing = "all";
      publish("imu/s1", "late", "two");
    };
    await bridge.stop(1_200);
    expect(acknowledged).toEqual([]);
    expect(receiver.ended).toEqual([]);
  });

  test("does not leave while Kafka takes nothing", async () => {
    const { kafka, publish, receiver } = start();
    kafka.missing = "all";
    publish("imu/s1", "a", "two");
    await eventually(() => expect(bridge.health(2).components["kafka"]!.detail).toContain("for 2 s"));
    await bridge.stop(100);
    expect(receiver.left).toBe(0);
    expect(receiver.ended).toEqual([]);
  });
});

describe("a message that Kafka refuses for good", () => {
  test("is a dead letter, and holds up no other", async () => {
    const { kafka, acknowledged, publish, metrics } = start();
    kafka.maxBytes = 100;
    kafka.missing = "dead-letter";
    publish("imu/s1", "a");
    publish("imu/s1", "b".repeat(101));
    publish("imu/s2", "c");
    await eventually(() => expect(kafka.values("imu-data-all")).toEqual(["a", "c"]));
    expect(acknowledged).toEqual(["a", "c"]);
    kafka.missing = null;
    await eventually(() => expect(acknowledged).toHaveLength(3));
    const letter = kafka.stored.find(({ topic }) => topic === "dead-letter")!;
    // 101 bytes are refused in the letter as well; half of them are taken.
    expect(letter.value!.toString()).toBe("b".repeat(50));
    expect(String(letter.key)).toBe("s1");
    expect(letter.headers).toMatchObject({
      "error-code": "refused-by-kafka",
      "error-message": "Kafka refuses the record: too large",
      stage: "bridge",
      "mqtt-topic": "imu/s1",
      "full-size": "101",
      "full-sha256": createHash("sha256").update("b".repeat(101)).digest("hex"),
    });
    expect(counter(metrics, "bridge.dead-letters")).toBe(1);
  });

  test("and cannot be dead-lettered either, is dropped and counted", async () => {
    const { kafka, acknowledged, publish, metrics } = start();
    kafka.maxBytes = -1;
    publish("imu/s1", "abc");
    await eventually(() => expect(acknowledged).toEqual(["abc"]));
    expect(counter(metrics, "bridge.dropped")).toBe(1);
    expect(counter(metrics, "bridge.in-flight")).toBe(0);
  });
});

describe("while Kafka is away", () => {
  test("at most the given bytes wait; what is turned away comes again over a new connection", async () => {
    const { kafka, receiver, acknowledged, publish, metrics } = start({ waitingBytes: 10_000 });
    kafka.missing = "all";
    for (let i = 0; i < 30; i++) publish("imu/s1", `${i}`.padEnd(1_000), i % 2 === 0 ? "one" : "two");
    const waiting = Number(counter(metrics, "bridge.waiting-bytes"));
    expect(waiting).toBeGreaterThan(8_000);
    expect(waiting).toBeLessThanOrEqual(11_000);
    expect(counter(metrics, "bridge.turned-away")).toBe(30 - Number(counter(metrics, "bridge.in-flight")));
    expect(receiver.reconnected).toEqual([]);
    kafka.missing = null;
    await eventually(() => expect(receiver.reconnected.toSorted()).toEqual(["one", "two"]));
    await eventually(() => expect(counter(metrics, "bridge.waiting-bytes")).toBe(0));
    expect(acknowledged).toHaveLength(kafka.values("imu-data-all").length);
  });

  test("one round of ticks waits, however long it takes", async () => {
    jest.useFakeTimers({
      doNotFake: ["performance", "nextTick", "queueMicrotask", "setImmediate", "setTimeout", "Date"],
    });
    const { kafka } = start();
    await eventually(() => {
      jest.advanceTimersByTime(1_000);
      expect(kafka.stored.length).toBeGreaterThanOrEqual(PARTITIONS);
    });
    kafka.missing = "all";
    const before = kafka.stored.length;
    for (let second = 0; second < 600; second++) jest.advanceTimersByTime(1_000);
    await eventually(() => expect(kafka.sends).toBeGreaterThan(1));
    kafka.missing = null;
    await eventually(() => expect(kafka.stored.length).toBeGreaterThan(before));
    expect(kafka.stored.length).toBe(before + PARTITIONS);
  });
});

test("a dead-letter topic that is missing degrades the bridge, and letters past the bound are dropped", async () => {
  const { kafka, acknowledged, publish, metrics } = start({ waitingLetters: 5 });
  kafka.missing = "dead-letter";
  for (let i = 0; i < 8; i++) publish("imu/a/b", `early ${i}`);
  publish("imu/s1", "good");
  await eventually(() => expect(bridge.health(2).status).toBe("degraded"));
  expect(bridge.health(2).components).toMatchObject({ kafka: { status: "ok" }, deadLetters: { status: "degraded" } });
  // In a short outage none is dropped. When only dead letters fail, further ones are.
  expect(acknowledged).toEqual(["good"]);
  publish("imu/a/b", "one too many");
  publish("imu/s1", "still good");
  await eventually(() => expect(acknowledged).toEqual(["good", "one too many", "still good"]));
  expect(counter(metrics, "bridge.dropped")).toBe(1);
  kafka.missing = null;
  await eventually(() => expect(kafka.values("dead-letter")).toHaveLength(8));
});
