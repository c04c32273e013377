import { describe, expect, test } from "@jest/globals";
import { tickedInputs, ticks } from "../../bridge/ticks.ts";
import { MAX_DEAD_LETTER_BYTES, toRecord, type Publish } from "../../bridge/to-record.ts";
import { isTraceparent, newTraceparent } from "../../domain/traceparent.ts";

const stamp = { ingestMs: 1_657_533_977_813, traceparent: "00-11111111111111111111111111111111-2222222222222222-01" };
const received = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

function publish(topic: string, overrides: Partial<Publish> = {}): Publish {
  return { topic, payload: Buffer.from("{}"), userProperties: [], ...overrides };
}

describe("a message becomes a record", () => {
  test("with the payload itself and the sensor's id as its key", () => {
    const payload = Buffer.from([0, 255, 10]);
    const record = toRecord(publish("imu/s01-sw", { payload }), stamp);
    expect(record.value).toBe(payload);
    expect(record).toEqual({
      topic: "imu-data-all",
      key: Buffer.from("s01-sw"),
      value: payload,
      headers: { "ingest-ms": "1657533977813", traceparent: stamp.traceparent },
    });
  });

  test("of at most 128 KB", () => {
    expect(toRecord(publish("imu/a", { payload: Buffer.alloc(131_072) }), stamp).topic).toBe("imu-data-all");
    const large = toRecord(publish("imu/a", { payload: Buffer.alloc(131_073) }), stamp);
    expect(large.topic).toBe("dead-letter");
    expect(large.headers["error-code"]).toBe("payload-too-large");
    expect(large.headers["error-message"]).toContain("131073");
  });

  test("that carries the publisher's trace when it is one", () => {
    const sent = (value: string): string =>
      toRecord(
        publish("imu/a", {
          userProperties: [
            { name: "other", value: received },
            { name: "traceparent", value },
          ],
        }),
        stamp,
      ).headers["traceparent"]!;
    expect(sent(received)).toBe(received);
    expect(sent("garbage")).toBe(stamp.traceparent);
    expect(sent(received.toUpperCase())).toBe(stamp.traceparent);
  });

  test.each(["imu", "imu/", "imu/a/b", "imu/a b", "imu/ä", `imu/${"x".repeat(129)}`, "other/a", "imu/a\n"])(
    "or a dead letter when its topic is %j",
    (topic) => {
      const record = toRecord(publish(topic, { contentType: "text/plain" }), stamp);
      expect(record.topic).toBe("dead-letter");
      expect(record.headers).toMatchObject({
        "error-code": "invalid-sensor-id",
        stage: "bridge",
        "mqtt-topic": topic,
        "content-type": "text/plain",
        "ingest-ms": "1657533977813",
      });
    },
  );

  test("or a dead letter whose key is the id as it was received", () => {
    expect(toRecord(publish("imu/a/ä"), stamp).key).toEqual(Buffer.from("a/ä"));
    expect(toRecord(publish("imu"), stamp).key).toEqual(Buffer.alloc(0));
  });

  test("whose id is a hash of topic, payload and the time it was received", () => {
    const letter = (payload: string, ingestMs = stamp.ingestMs): string =>
      toRecord(publish("imu/a/b", { payload: Buffer.from(payload) }), { ...stamp, ingestMs }).headers["letter-id"]!;
    // printf 'imu/a/b\\0001657533977813\\000payload' | sha256sum
    expect(letter("payload")).toBe("644cbf0b93933703626e609aec09aef980dd024371320ffd7974233d4a906d37");
    expect(letter("payload")).toBe(letter("payload"));
    expect(new Set([letter("payload"), letter("payloae"), letter("payload", 1)]).size).toBe(3);
  });

  test("cut at 900 KB, with the size and the checksum of all of it", () => {
    const record = toRecord(publish("imu/a", { payload: Buffer.alloc(1_000_000) }), stamp);
    expect(record.value).toHaveLength(900 * 1024);
    // head -c 1000000 /dev/zero | sha256sum
    expect(record.headers).toMatchObject({
      "full-size": "1000000",
      "full-sha256": "d29751f2649b32ff572b5e0a9f541ea660a50f94ff0beedfb0b692b924cc8025",
    });
    expect(
      toRecord(publish("imu/a", { payload: Buffer.alloc(MAX_DEAD_LETTER_BYTES) }), stamp).headers,
    ).not.toHaveProperty("full-size");
  });

  test("that fits into a record of Kafka (1,048,588 bytes) however long topic and content type are", () => {
    const longest = "ä".repeat(32_767);
    const { key, value, headers } = toRecord(
      publish(`imu/${longest.slice(4)}`, { payload: Buffer.alloc(5_000_000), contentType: longest }),
      stamp,
    );
    const bytes =
      key!.length +
      value!.length +
      Object.entries(headers).reduce((sum, [name, text]) => sum + name.length + Buffer.byteLength(text) + 10, 0);
    expect(bytes + 200).toBeLessThan(1_048_588);
  });
});

test("a tick is a control record: no key, no value, its type in a header, one for each partition", () => {
  const tick = { key: null, value: null, headers: { type: "tick" } };
  expect(
    ticks(
      new Map([
        ["imu-data-all", 2],
        ["market-trades", 1],
      ]),
    ),
  ).toEqual([
    { topic: "imu-data-all", partition: 0, ...tick },
    { topic: "imu-data-all", partition: 1, ...tick },
    { topic: "market-trades", partition: 0, ...tick },
  ]);
});

test("ticks go to the inputs of the pipelines that run", () => {
  expect(tickedInputs(["sensor"])).toEqual(["imu-data-all"]);
  expect(tickedInputs(["market", "sensor"])).toEqual(["market-trades", "imu-data-all"]);
});

test("traceparents follow W3C Trace Context", () => {
  expect(newTraceparent(Buffer.from(Array.from({ length: 24 }, (_, i) => i)))).toBe(
    "00-000102030405060708090a0b0c0d0e0f-1011121314151617-01",
  );
  expect(isTraceparent(received)).toBe(true);
  expect(isTraceparent("00-00000000000000000000000000000000-b7ad6b7169203331-01")).toBe(false);
  expect(isTraceparent("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01")).toBe(false);
});
