import { expect, test } from "@jest/globals";
import { readSettings, writeSettings } from "../../config/settings.ts";

test("a setting with several words is read as it was written", () => {
  const env = writeSettings("bridge", { pipelines: ["sensor", "market"] });
  expect(env).toEqual({ PIPELINES: "sensor,market" });
  expect(readSettings("bridge", env).pipelines).toEqual(["sensor", "market"]);
  expect(readSettings("bridge", { PIPELINES: " market , sensor" }).pipelines).toEqual(["market", "sensor"]);
  expect(readSettings("bridge", {}).pipelines).toEqual(["sensor"]);
});

test.each([
  ["sensor,markt", 'PIPELINES is "sensor,markt": there is only: sensor, market'],
  ["sensor,", "there is only: sensor, market"],
  ["sensor,sensor", "a name is given twice"],
])("a list %s is refused with what was received", (received, message) => {
  expect(() => readSettings("bridge", { PIPELINES: received })).toThrow(message);
});
