import { describe, expect, test } from "@jest/globals";
import {
  traceIdOfHeader,
  tradeRecord,
  type Receipt,
  type TradeRecord,
} from "../../lambda/produce-trades/trade-record.ts";

const receipt: Receipt = { ingestMs: 1_768_314_645_200, random: Buffer.from(Array.from({ length: 24 }, (_, i) => i)) };
const made = "00-000102030405060708090a0b0c0d0e0f-1011121314151617-01";

/** An event as EventBridge gives it to a queue, with `detail` as JSON. */
const event = (detail: string, overrides: Record<string, unknown> = {}): string => {
  const envelope = {
    version: "0",
    id: "17793124-05d4-b198-2fde-7ededc63b103",
    "detail-type": "Trade",
    source: "shop.orders",
    account: "123456789012",
    time: "2026-01-13T14:30:45Z",
    region: "us-east-1",
    resources: [],
    ...overrides,
  };
  return `${JSON.stringify(envelope).slice(0, -1)},"detail":${detail}}`;
};
const recordOf = (detail: string, change: Partial<Receipt> = {}): TradeRecord =>
  tradeRecord(event(detail), { ...receipt, ...change });

describe("a trade's record", () => {
  test("has the detail as it was sent, and the symbol as its key", () => {
    const detail = '{"trade_id":"TRX-123456","timestamp":"2026-01-13T14:30:45.123Z","amount":6010.50,"symbol":"AAPL"}';
    expect(recordOf(detail)).toEqual({
      key: "AAPL",
      value: detail,
      headers: { "content-type": "application/json", "ingest-ms": "1768314645200", traceparent: made },
    });
  });

  test("has the event's id and time where the trade has none", () => {
    expect(recordOf('{"ticker":"MSFT","price":410.25}')).toMatchObject({
      key: "MSFT",
      value:
        '{"ticker":"MSFT","price":410.25,' +
        '"trade_id":"17793124-05d4-b198-2fde-7ededc63b103","timestamp":"2026-01-13T14:30:45Z"}',
    });
    // Null is not absent: the processor says that it is no id.
    const given = '{"symbol":"A","trade_id":null,"timestamp":0}';
    expect(recordOf(given).value).toBe(given);
  });

  test.each(['{"symbol":"aapl"}', '{"symbol":42}', '{"symbol":""}', '{"price":1}', `{"symbol":"${"A".repeat(33)}"}`])(
    "has no key where the trade has no valid symbol: %s",
    (detail) => {
      expect(recordOf(detail).key).toBeNull();
    },
  );

  test("follows `symbol` where a trade has both names", () => {
    expect(recordOf('{"symbol":"A","ticker":"B"}').key).toBe("A");
    expect(recordOf('{"symbol":null,"ticker":"B"}').key).toBe("B");
    expect(recordOf('{"symbol":"a","ticker":"B"}').key).toBeNull();
  });
});

describe("the trace", () => {
  const traceOf = (detail: string, traceHeader?: string): string | undefined =>
    recordOf(detail, { traceHeader }).headers["traceparent"];
  const own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
  // From the documentation of X-Ray's tracing header.
  const header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

  test("is the trade's own, or X-Ray's, or a new one", () => {
    expect(traceOf(`{"traceparent":"${own}"}`, header)).toBe(own);
    expect(traceOf("{}", header)).toBe("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01");
    expect(traceOf("{}", header.replace("Sampled=1", "Sampled=0"))).toMatch(/-00$/);
    expect(traceOf("{}", "Root=1-5759e988-bd862e3fe1be46a994272793")).toBe(
      "00-5759e988bd862e3fe1be46a994272793-1011121314151617-01",
    );
    for (const bad of ["", "Root=2-5759e988-bd862e3fe1be46a994272793", "Root=1-00000000-000000000000000000000000"])
      expect(traceOf('{"traceparent":"no"}', bad)).toBe(made);
  });
});

test("the trace id of a message is that of X-Ray's header, and null without one", () => {
  expect(traceIdOfHeader("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")).toBe(
    "5759e988bd862e3fe1be46a994272793",
  );
  expect([traceIdOfHeader(undefined), traceIdOfHeader("Root=2-1-2")]).toEqual([null, null]);
});

test.each([
  ["", "the body is not JSON"],
  ["[]", "the body is no EventBridge event: "],
  ["5", "the body is no EventBridge event: "],
  [event("{}", { "detail-type": "Order" }), '"detail-type" is "Order"; "Trade" is expected'],
  [event("{}", { id: 5 }), '"id" is 5; a text is expected'],
  [event("{}", { time: undefined }), '"time" is absent; a text is expected'],
  [event("[1]"), '"detail" is [1]; an object is expected'],
  [event("7"), '"detail" is 7; an object is expected'],
  [event("null"), '"detail" is null; an object is expected'],
])("an envelope that is none is refused with what was received: %s", (body, message) => {
  expect(() => tradeRecord(body, receipt)).toThrow(message);
});
