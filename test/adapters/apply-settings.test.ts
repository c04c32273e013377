import { expect, test } from "@jest/globals";
import { tasksThatCannotRead } from "../../adapters/apply-settings.ts";

const progress = (controls?: Record<string, number>): string =>
  JSON.stringify({ nextOffset: 1, origin: 0, fingerprint: "f", chain: "0-0", controls });

test("a task can't read settings records when its last progress does not say so", () => {
  const records = [
    { partition: 0, key: "sensor/in/0", value: progress() },
    { partition: 0, key: "sensor/in/0", value: progress({ tick: 1, model: 1, settings: 1 }) },
    { partition: 1, key: "sensor/in/1", value: progress({ tick: 1, settings: 1 }) },
    { partition: 1, key: "sensor/in/1", value: progress({ tick: 1 }) },
    { partition: 1, key: "sensor/in/1#claim", value: "token" },
    { partition: 2, key: "sensor/other/2", value: progress() },
  ];
  expect(tasksThatCannotRead(records, "in", "settings")).toEqual(["sensor/in/1"]);
});
