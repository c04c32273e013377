import { describe, expect, it } from "@jest/globals";
import { deadLetterAdvice, messageNumberOf, readLetter } from "../../domain/dead-letters.ts";
import { deadLetterCodes } from "../../domain/errors.ts";

const record = { partition: 3, offset: 9, timestamp: 1_657_533_977_900, key: "s1" };

describe("a dead letter", () => {
  it("of the processor has the id of its source", () => {
    const headers = {
      "error-code": "invalid-json",
      "error-message": "not JSON",
      stage: "decode",
      "source-topic": "imu-data-all",
      "source-partition": "3",
      "source-offset": "1234",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
    expect(readLetter({ ...record, headers })).toEqual({
      id: "imu-data-all/3/1234/0",
      at: 1_657_533_977_900,
      code: "invalid-json",
      message: "not JSON",
      stage: "decode",
      sensorId: "s1",
      symbol: null,
      source: { topic: "imu-data-all", partition: 3, offset: 1234 },
      mqttTopic: null,
      contentType: null,
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
  });

  it("of a log with a generation is about a sensor, too; one of trades is about a symbol", () => {
    const source = { "source-partition": "0", "source-offset": "7" };
    const later = readLetter({ ...record, headers: { ...source, "source-topic": "imu-data-all~2" } });
    expect([later.id, later.sensorId, later.symbol]).toEqual(["imu-data-all~2/0/7/0", "s1", null]);
    const trade = readLetter({ ...record, key: "AAPL", headers: { ...source, "source-topic": "market-trades" } });
    expect([trade.sensorId, trade.symbol]).toEqual([null, "AAPL"]);
  });

  it("of the bridge has a hash for an id, and a sensor where its topic names a valid one", () => {
    const headers = { stage: "bridge", "letter-id": "ab12", "mqtt-topic": "imu/a/b" };
    const letter = readLetter({ ...record, key: "a/b", headers });
    expect([letter.id, letter.source, letter.sensorId, letter.mqttTopic]).toEqual(["ab12", null, null, "imu/a/b"]);
    expect(readLetter({ ...record, headers }).sensorId).toBe("s1");
  });

  it("of a foreign producer is read as far as it goes", () => {
    const letter = readLetter({ ...record, key: null, headers: {} });
    expect(letter).toMatchObject({ id: "dead-letter/3/9", code: "", sensorId: null, symbol: null, source: null });
  });

  it("has advice for each code", () => {
    expect(Object.keys(deadLetterAdvice).toSorted()).toEqual(Object.keys(deadLetterCodes).toSorted());
  });
});

describe("the number of a refused message", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

  it("is read from JSON that is not a valid message otherwise", () => {
    expect(messageNumberOf(bytes('{"seq":17,"boot":"a1","t":"x"}'), null)).toEqual({ seq: 17, boot: "a1" });
    expect(messageNumberOf(bytes('{"seq":0}'), "application/json")).toEqual({ seq: 0, boot: null });
  });

  it("is read from the packed form: seq as f64 at 8, boot at 16", () => {
    // One sample at a fixed rate with boot "a1": 16 + 2, aligned to 24, t and hz as f64, six f32.
    const message = new Uint8Array(24 + 16 + 24);
    message.set([0x4d, 0x49, 1, 2, 1, 0, 2, 0]);
    new DataView(message.buffer).setFloat64(8, 18, true);
    message.set(bytes("a1"), 16);
    new DataView(message.buffer).setFloat64(32, 100, true);
    expect(messageNumberOf(message, "application/x-millrace-imu")).toEqual({ seq: 18, boot: "a1" });
    expect(messageNumberOf(message.subarray(0, 20), "application/x-millrace-imu")).toEqual({ seq: null, boot: null });
  });

  it.each(["", "no JSON", "null", "[1]", '{"seq":-1}', '{"seq":1.5,"boot":7}', `{"boot":"${"b".repeat(65)}"}`])(
    "is unknown where the payload does not say it: %s",
    (text) => expect(messageNumberOf(bytes(text), null)).toEqual({ seq: null, boot: null }),
  );

  it("is unknown without a payload, or where that is over 128 KB", () => {
    expect(messageNumberOf(null, null)).toEqual({ seq: null, boot: null });
    const large = bytes(`{"seq":1,"x":"${"x".repeat(128 * 1024)}"}`);
    expect(messageNumberOf(large, null)).toEqual({ seq: null, boot: null });
  });
});
