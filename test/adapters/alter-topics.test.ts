import { expect, test } from "@jest/globals";
import { encodeChanges, refusals } from "../../adapters/alter-topics.ts";

// By hand, from https://kafka.apache.org/protocol#The_Messages_IncrementalAlterConfigs, version 0:
// [type INT8, name STRING, [name STRING, operation INT8, value NULLABLE_STRING]], validate_only BOOLEAN
test("a request sets the values that are given, and nothing else", () => {
  const text = (value: string): string =>
    value.length.toString(16).padStart(4, "0") + Buffer.from(value).toString("hex");
  expect(
    encodeChanges([
      { name: "a", config: { "retention.ms": "-1" } },
      { name: "b", config: { "retention.bytes": "-1", "max.message.bytes": "500" } },
    ]).buffer.toString("hex"),
  ).toBe(
    "00000002" +
      ("02" + text("a") + "00000001" + text("retention.ms") + "00" + text("-1")) +
      ("02" + text("b") + "00000002") +
      (text("retention.bytes") + "00" + text("-1") + text("max.message.bytes") + "00" + text("500")) +
      "00",
  );
});

// throttle_time_ms INT32, [error_code INT16, error_message NULLABLE_STRING, type INT8, name STRING]
test("an answer names each topic that was refused, with its reason", () => {
  const answer = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");
  expect(refusals(answer("00000000 00000001 0000 ffff 02 0001 61"))).toEqual([]);
  expect(refusals(answer("00000005 00000002 0028 0003 626164 02 0001 61 001d ffff 02 0001 62"))).toEqual([
    "a: bad (Kafka's error 40)",
    "b: no reason is given (Kafka's error 29)",
  ]);
});
