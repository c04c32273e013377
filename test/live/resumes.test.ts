import { expect, test } from "@jest/globals";
import { resumePositionOf, resumesOf, type Resume } from "../../domain/resume.ts";
import type { LiveRecord } from "../../live/messages.ts";
import { Resumes, type ResumeEntry } from "../../live/resumes.ts";
import type { ConnectionItem } from "../../live/subscriptions.ts";
import { inferred, windowed } from "../lambda/records.ts";

let requests = 0;
function asked(sensorId: string, ids: Parameters<typeof resumesOf>[2]): string[] {
  return resumesOf(`r${requests++}`, sensorId, ids).map((resume) => JSON.stringify(resume));
}
const connection = (connectionId: string, sensors: string[], resumes: string[]): ConnectionItem => ({
  connectionId,
  sensors: new Set(sensors),
  sessions: new Set(),
  symbols: new Set(),
  resumes: new Set(resumes),
});
const window = (sensorId: string, id: string): LiveRecord =>
  ({ type: "window", data: { ...windowed(sensorId, 0), id } }) as unknown as LiveRecord;
const inference = (sensorId: string, id: string): LiveRecord =>
  ({ type: "inference", data: { ...inferred(sensorId, 0), id } }) as unknown as LiveRecord;

/** As the resumer does when it has sent what a connection missed. */
function sent(entry: ResumeEntry, id: string): void {
  for (const type of entry.states.keys()) entry.states.set(type, resumePositionOf(id)!);
  entry.isDone = true;
}

test("a resumed type waits, alone and in its partition; then what is behind the last record comes", () => {
  const resumes = new Resumes();
  const texts = asked("s1", { window: ["imu-data-all/3/10/0"] });
  const item = connection("a", ["s1", "s2"], texts);
  resumes.update([item, connection("b", ["s1"], [])]);
  const next = window("s1", "imu-data-all/3/12/0");
  expect(resumes.admits("a", next)).toBe(false);
  expect(resumes.admits("b", next)).toBe(true);
  expect(resumes.admits("a", inference("s1", "imu-data-all/3/12/0"))).toBe(true);
  expect(resumes.admits("a", window("s2", "imu-data-all/3/12/0"))).toBe(true);
  // The sensor is in another partition by now.
  expect(resumes.admits("a", window("s1", "imu-data-all/4/12/0"))).toBe(true);
  const [entry] = resumes.waiting as [ResumeEntry];
  sent(entry, "imu-data-all/3/12/0");
  expect(resumes.waiting).toEqual([]);
  expect(resumes.admits("a", next)).toBe(false);
  expect(resumes.admits("a", window("s1", "imu-data-all/3/12/1"))).toBe(true);
  // It is still in the table, then not any more.
  expect(resumes.update([item])).toEqual([entry]);
  expect(resumes.update([connection("a", ["s1", "s2"], [])])).toEqual([]);
  expect(resumes.isEmpty).toBe(true);
});

test("of all sensors, those of the partitions that are named wait", () => {
  const resumes = new Resumes();
  const texts = asked("*", {
    window: ["imu-data-all/3/10/0", "imu-data-all/5/7/0"],
    inference: ["imu-data-all/3/9/0"],
  });
  expect(texts.map((text) => (JSON.parse(text) as Resume).after)).toEqual([
    { window: "imu-data-all/3/10/0", inference: "imu-data-all/3/9/0" },
    { window: "imu-data-all/5/7/0" },
  ]);
  resumes.update([connection("a", ["*"], texts)]);
  const admitted = (record: LiveRecord): boolean => resumes.admits("a", record);
  expect(admitted(window("s1", "imu-data-all/3/11/0"))).toBe(false);
  expect(admitted(window("s2", "imu-data-all/5/11/0"))).toBe(false);
  expect(admitted(inference("s2", "imu-data-all/5/11/0"))).toBe(true);
  expect(admitted(window("s3", "imu-data-all/4/11/0"))).toBe(true);
});

test("the next generation of a log is behind the one before it", () => {
  const resumes = new Resumes();
  resumes.update([connection("a", ["s1"], asked("s1", { window: ["imu-data-all/3/90/0"] }))]);
  sent(resumes.waiting[0]!, "imu-data-all/3/90/0");
  expect(resumes.admits("a", window("s1", "imu-data-all/3/90/0"))).toBe(false);
  expect(resumes.admits("a", window("s1", "imu-data-all~2/3/0/0"))).toBe(true);
});

test("what a connection has asked for goes with it, with its subscription, and with its next request", () => {
  const resumes = new Resumes();
  const ask = (): string[] => asked("s1", { window: ["imu-data-all/3/10/0"] });
  resumes.update([connection("a", ["s1"], ask())]);
  resumes.update([]);
  expect(resumes.isEmpty).toBe(true);
  const texts = ask();
  resumes.update([connection("a", [], texts)]);
  expect(resumes.waiting).toEqual([]);
  expect(resumes.admits("a", window("s1", "imu-data-all/3/10/0"))).toBe(true);
  for (let i = 0; i < 3; i++) {
    resumes.update([connection("a", ["s1"], ask())]);
    for (const entry of resumes.waiting) sent(entry, "imu-data-all/3/10/0");
  }
  // Only the last one waits for what is behind its record.
  resumes.update([connection("a", ["s1"], [])]);
  expect(resumes.admits("a", window("s1", "imu-data-all/3/11/0"))).toBe(true);
  resumes.update([connection("a", ["s1"], [])]);
  expect(resumes.isEmpty).toBe(true);
});
