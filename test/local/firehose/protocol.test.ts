import { expect, test } from "@jest/globals";
import { recordData } from "../../../local/firehose/protocol.ts";

test("data is base64 with its padding (RFC 4648), and nothing else", () => {
  for (const [text, bytes] of [
    ["", []],
    ["Zg==", [0x66]],
    ["Zm8=", [0x66, 0x6f]],
    ["+/+/", [0xfb, 0xff, 0xbf]],
  ] as const)
    expect([...recordData({ Data: text }, "record")]).toEqual(bytes);
  for (const Data of ["Zg", "Zg=", "Zm8", "Z", "Zg==\n", "Zm 8=", "-_-_", "Zh==", 7])
    expect(() => recordData({ Data }, "record")).toThrow("record.data is not base64");
});
