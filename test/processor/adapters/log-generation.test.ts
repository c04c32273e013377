import { expect, test } from "@jest/globals";
import { topics } from "../../../domain/topics.ts";
import { machineFactory, sensorMachineFactory } from "../../../processor/adapters/machine-factory.ts";
import { outputTarget } from "../../../processor/adapters/output-target.ts";
import { recordOfLetter } from "../../../processor/commands/dead-letters/record-of-letter.ts";
import { PipelineDriver } from "../../../processor/driver/driver.ts";
import { sensorPipeline } from "../../../processor/pipelines/sensor/sensor-pipeline.ts";

const second = machineFactory(sensorPipeline(), { generation: 2 });

test("ids of a log's second generation have its name", async () => {
  const driver = new PipelineDriver(second);
  await driver.record({
    key: "s1",
    timestamp: 1_600_000_000_000,
    value: { seq: 0, t: [1_600_000_000_000], samples: [[0, 0, 9.8, 0, 0, 0]] },
  });
  await driver.record({ key: "s1", timestamp: 1_600_000_000_000, value: {} });
  expect(driver.outputs(topics.sessions.name).map(({ value }) => value["id"])).toEqual(["imu-data-all~2/0/0/0"]);
  expect(driver.deadLetters()).toMatchObject([{ offset: 1, code: "invalid-message" }]);
  expect(driver.raw.find(({ topic }) => topic === "dead-letter")!.headers).toMatchObject({
    "source-topic": "imu-data-all~2",
  });
});

test("dead letters of two logs about the same offset are not copies, and both go back to the topic", () => {
  const letterFrom = (log: string): ReturnType<typeof recordOfLetter> =>
    recordOfLetter({
      partition: 0,
      offset: 0,
      timestamp: 0,
      key: null,
      value: null,
      headers: { "source-topic": log, "source-partition": "3", "source-offset": "7" },
    });
  expect(letterFrom("imu-data-all")).toMatchObject({ topic: "imu-data-all", source: "imu-data-all/3/7" });
  expect(letterFrom("imu-data-all~2")).toMatchObject({ topic: "imu-data-all", source: "imu-data-all~2/3/7" });
  expect(letterFrom("imu-data-all~2~3")).toMatchObject({ kind: "impossible" });
});

test("tasks and transactional ids of the second generation are others, and read the same topic", () => {
  const target = (factory: typeof second): ReturnType<typeof outputTarget> =>
    outputTarget({ environment: "test", groupId: "g", factory }, 3);
  expect(target(sensorMachineFactory())).toMatchObject({
    task: "sensor/imu-data-all/3",
    transactionalId: "millrace.test.sensor.imu-data-all.3",
  });
  expect(target(second)).toMatchObject({
    task: "sensor/imu-data-all~2/3",
    transactionalId: "millrace.test.sensor.imu-data-all~2.3",
    sourceTopic: "imu-data-all",
  });
});
