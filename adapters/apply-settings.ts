import type { Kafka } from "kafkajs";
import { changeGroup, controlVersions, readSettingsHeader, settingsHeader } from "../domain/controls.ts";
import { MillraceError } from "../domain/errors.ts";
import { progressRecord } from "../domain/records.ts";
import { defaultSemantics, type Semantics, semanticsProblems } from "../domain/semantics.ts";
import { type ControlType, controlTypes, topics } from "../domain/topics.ts";
import { type ChangeMade, lastChange, makeChange } from "./control-records.ts";
import { readTopic, type TopicRecord } from "./read-topic.ts";

/** Offsets before the end of a partition of `millrace-progress` among which a task's last progress is looked for. */
const LOOK_BACK = 5_000;

/** The settings in force of an input topic, as its last change has them. */
export interface SettingsInForce {
  readonly settings: Semantics;
  /** The change that brought them; null for the defaults of a log without one. */
  readonly change: string | null;
  /** Whether each partition has its record: otherwise a command was interrupted. */
  readonly done: boolean;
}

export async function settingsInForce(kafka: Kafka, topic: string): Promise<SettingsInForce> {
  const last = await lastChange(kafka, { topic, type: controlTypes.settings });
  const settings = last && readSettingsHeader(last.value).settings;
  return settings
    ? { settings, change: last.id, done: last.done }
    : { settings: defaultSemantics, change: null, done: true };
}

export interface ApplyOptions {
  /** Name of the change. @default that of an interrupted command, or a new one */
  readonly id?: string | undefined;
  /** Whether running tasks must have said that they read this kind of record. */
  readonly checkTasks: boolean;
}

/**
 * Puts settings in force in all partitions of an input topic, if they are not in force.
 *
 * @returns Null when they are in force already.
 * @throws MillraceError `settings-refused`
 */
export async function applySettings(
  kafka: Kafka,
  topic: string,
  wanted: Semantics,
  { id, checkTasks }: ApplyOptions,
): Promise<ChangeMade | null> {
  const problems = semanticsProblems(wanted);
  if (problems.length > 0) throw new MillraceError("settings-refused", problems.join("; "));
  const { settings, change, done } = await settingsInForce(kafka, topic);
  const value = settingsHeader(wanted);
  if (change !== null && done && settingsHeader(settings) === value) return null;
  if (change !== null && settings.watermark !== wanted.watermark) {
    const scopes = `it is ${settings.watermark}, and ${wanted.watermark} was received`;
    throw new MillraceError("settings-refused", `the watermark's scope can't be changed: ${scopes}. Use a new topic.`);
  }
  if (checkTasks) await checkThatTasksRead(kafka, topic, controlTypes.settings);
  return makeChange(kafka, { topic, type: controlTypes.settings, value }, id);
}

/** @throws MillraceError `settings-refused` when a task's last progress is of a program that can't read such records */
export async function checkThatTasksRead(kafka: Kafka, topic: string, type: ControlType): Promise<void> {
  const options = { groupId: changeGroup, lookBack: LOOK_BACK };
  const { records } = await readTopic(kafka, topics.progress.name, options);
  const behind = tasksThatCannotRead(records, topic, type);
  if (behind.length === 0) return;
  throw new MillraceError(
    "settings-refused",
    `${behind.join(", ")} ran last in a version that does not read ${type} records of version ` +
      `${controlVersions[type]}: it would stop there. Deploy this version of the processor first, and try again ` +
      "when each task has committed something.",
  );
}

/** The tasks of a topic whose last progress does not say that they read such control records of our version. */
export function tasksThatCannotRead(progress: readonly TopicRecord[], topic: string, type: ControlType): string[] {
  const last = new Map<string, string>();
  for (const { key, value } of progress) {
    const isTask = key !== null && /^[^/#]+\/[^/#]+\/\d+$/.test(key) && key.split("/")[1] === topic;
    if (isTask && value !== null) last.set(key, value);
  }
  const reads = (value: string): boolean => {
    const { controls } = progressRecord.parse(JSON.parse(value));
    return (controls?.[type] ?? 0) >= controlVersions[type];
  };
  return [...last].filter(([, value]) => !reads(value)).map(([task]) => task);
}
