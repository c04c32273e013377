import { expect, test } from "@jest/globals";
import { traceIdOf } from "../../domain/traceparent.ts";

// The first is the example of W3C Trace Context, section 3.2.4.
test.each([
  ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"],
  ["00-00000000000000000000000000000000-00f067aa0ba902b7-01", null],
  ["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", null],
  ["4bf92f3577b34da6a3ce929d0e0e4736", null],
  ["", null],
  [undefined, null],
])("the trace id of %j is %j", (traceparent, traceId) => {
  expect(traceIdOf(traceparent)).toBe(traceId);
});
