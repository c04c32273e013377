import { expect, test } from "@jest/globals";
import { EmbeddedMetrics } from "../../lambda/shared/embedded-metrics.ts";

const NOW = 1_657_533_977_000;

/** The keys and types that CloudWatch's specification of the embedded metric format demands. */
test("a line is what CloudWatch's embedded metric format specifies", () => {
  const metrics = new EmbeddedMetrics({ environment: "dev", program: "audit-output" });
  expect(metrics.take(NOW)).toBeNull();
  metrics.add("audit-output.records");
  metrics.add("audit-output.records", 2);
  metrics.set("audit-output.keys", 7);
  metrics.set("audit-output.keys", 9);
  for (const ms of [30, 10, 20]) metrics.time("audit-output.sensor-event-to-read", ms);
  expect(JSON.parse(metrics.take(NOW)!)).toEqual({
    _aws: {
      Timestamp: NOW,
      CloudWatchMetrics: [
        {
          Namespace: "Millrace",
          Dimensions: [["environment", "program"]],
          Metrics: [
            { Name: "audit-output.records", Unit: "Count" },
            { Name: "audit-output.keys", Unit: "Count" },
            { Name: "audit-output.sensor-event-to-read", Unit: "Milliseconds" },
          ],
        },
      ],
    },
    environment: "dev",
    program: "audit-output",
    "audit-output.records": 3,
    "audit-output.keys": 9,
    "audit-output.sensor-event-to-read": [10, 20, 30],
  });
  expect(metrics.take(NOW)).toBeNull();
});

test("of more than 100 durations a line has 100, evenly spaced in rank", () => {
  const metrics = new EmbeddedMetrics({ environment: "dev", program: "audit-output" });
  for (let ms = 1_000; ms >= 0; ms--) metrics.time("audit-output.sensor-event-to-read", ms);
  const line = JSON.parse(metrics.take(NOW)!) as Record<string, number[]>;
  const values = line["audit-output.sensor-event-to-read"]!;
  expect(values.length).toBe(100);
  // Ranks 0, 1000/99 = 10.1, 20.2, …, 1000.
  expect([values[0], values[1], values[2], values[99]]).toEqual([0, 10, 20, 1_000]);
});
