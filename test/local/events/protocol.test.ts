import { describe, expect, test } from "@jest/globals";
import { eventJson, readEntries, type Entry } from "../../../local/events/protocol.ts";

const good = { Source: "shop", DetailType: "Trade", Detail: '{"symbol":"AAPL"}', EventBusName: "b" };
const read = (...entries: unknown[]) => readEntries({ Entries: entries });

describe("an entry", () => {
  test("is read with its bus by name or ARN, and its time in seconds", () => {
    const [entry] = read({ ...good, Time: 1_768_314_645.5, Resources: ["r"], TraceHeader: "Root=1" });
    expect(entry).toEqual({
      source: "shop",
      detailType: "Trade",
      detail: '{"symbol":"AAPL"}',
      bus: "b",
      timeMs: 1_768_314_645_500,
      resources: ["r"],
      traceHeader: "Root=1",
    });
    const busOf = (EventBusName: unknown) => (read({ ...good, EventBusName })[0] as Entry).bus;
    expect(busOf("arn:aws:events:eu-west-1:123456789012:event-bus/b2")).toBe("b2");
    expect([busOf(undefined), busOf(null)]).toEqual(["default", "default"]);
  });

  // The texts are the service's; LocalStack and moto record them from it.
  test.each([
    [
      { ...good, Source: "" },
      "InvalidArgument",
      "Parameter Source is not valid. Reason: Source is a required argument.",
    ],
    [
      { ...good, DetailType: undefined },
      "InvalidArgument",
      "Parameter DetailType is not valid. Reason: DetailType is a required argument.",
    ],
    [
      { ...good, Detail: null },
      "InvalidArgument",
      "Parameter Detail is not valid. Reason: Detail is a required argument.",
    ],
    [{ ...good, Detail: "NotJSON" }, "MalformedDetail", "Detail is malformed."],
    [{ ...good, Detail: "[]" }, "MalformedDetail", "Detail is malformed."],
    [{ ...good, Detail: '"text"' }, "MalformedDetail", "Detail is malformed."],
    [{ ...good, Detail: "null" }, "MalformedDetail", "Detail is malformed."],
    [{ ...good, Source: "aws.ec2" }, "NotAuthorizedForSourceException", "Not authorized for the source."],
  ])("that is wrong fails alone: %j", (entry, ErrorCode, ErrorMessage) => {
    const [first, second] = read(good, entry);
    expect(first).toMatchObject({ source: "shop" });
    expect(second).toEqual({ ErrorCode, ErrorMessage });
  });
});

describe("a request is refused", () => {
  const refusal = (body: Record<string, unknown>): unknown => {
    try {
      return readEntries(body);
    } catch (error) {
      const { type, status, message } = error as { type: string; status: number; message: string };
      return [type, status, message];
    }
  };

  test.each([
    [{}, "entries' failed to satisfy constraint: Member must not be null"],
    [{ Entries: [] }, "Member must have length greater than or equal to 1"],
    [{ Entries: Array(11).fill(good) }, "Member must have length less than or equal to 10"],
  ])("for the number of its entries: %j", (body, message) => {
    expect(refusal(body)).toEqual(["ValidationException", 400, expect.stringContaining(message)]);
  });

  test.each([{ Source: 5 }, { Time: "now" }, { Time: 1e300 }, { Resources: "r" }, { Resources: [1] }])(
    "for a member of another type: %j",
    (change) => {
      expect(refusal({ Entries: [{ ...good, ...change }] })).toEqual([
        "SerializationException",
        400,
        expect.stringContaining(`entries.1.member.${Object.keys(change)[0]!}`),
      ]);
    },
  );

  test("when its entries have more than 1 MB together, by bytes of UTF-8; 14 for a time", () => {
    // Source, detail type and the detail's own characters have 4 + 5 + 8 bytes; é has two.
    const sized = (bytes: number, more: object = {}) => ({
      Source: "shop",
      DetailType: "Trade",
      Detail: `{"a":"${"é".repeat((bytes - 17) / 2)}"}`,
      ...more,
    });
    const half = 524_288 - 1;
    expect(read(sized(half), sized(half), { ...good, Source: "", DetailType: "T", Detail: "" })).toHaveLength(3);
    expect(
      refusal({ Entries: [sized(half), sized(half), { ...good, Source: "abc", DetailType: "", Detail: "" }] }),
    ).toEqual(["ValidationException", 400, "Total size of the entries in the request is over the limit."]);
    expect(refusal({ Entries: [sized(1_048_575 - 14, { Time: 1, Resources: ["12"] })] })).toEqual([
      "ValidationException",
      400,
      expect.any(String),
    ]);
    expect(read(sized(1_048_575 - 14, { Time: 1, Resources: ["1"] }))).toHaveLength(1);
  });
});

test("an event has EventBridge's shape, its time in whole seconds, and its detail as it was sent", () => {
  const [entry] = read({ ...good, Detail: '{ "price": 1.10 }', Resources: ["r"] }) as [Entry];
  const text = eventJson(entry, "id-1", Date.UTC(2026, 0, 13, 14, 30, 45, 987), "us-east-1");
  expect(text.endsWith(',"detail":{ "price": 1.10 }}')).toBe(true);
  expect(JSON.parse(text)).toEqual({
    version: "0",
    id: "id-1",
    "detail-type": "Trade",
    source: "shop",
    account: "000000000000",
    time: "2026-01-13T14:30:45Z",
    region: "us-east-1",
    resources: ["r"],
    detail: { price: 1.1 },
  });
});
