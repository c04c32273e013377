import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { MillraceError } from "../domain/errors.ts";
import { parseRecording, recordingName, type Recording } from "./recordings.ts";

/**
 * Finds recordings in a folder and its subfolders.
 *
 * @returns Files by sensor. Sensors are in the order of their names, files in the order of execution.
 * @throws MillraceError `arguments-invalid` when the folder cannot be read or has no recordings
 */
export function findRecordings(folder: string): Map<string, string[]> {
  let files: string[];
  try {
    files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch (cause) {
    const message = `--data ${folder} cannot be read: ${(cause as Error).message}`;
    throw new MillraceError("arguments-invalid", message, { cause });
  }
  const named = files
    .map((file) => ({ file, name: recordingName(basename(file)) }))
    .filter((entry): entry is { file: string; name: NonNullable<typeof entry.name> } => entry.name !== null)
    .sort(({ name: a }, { name: b }) => {
      if (a.sensor !== b.sensor) return a.sensor < b.sensor ? -1 : 1;
      return a.execution - b.execution;
    });
  if (named.length === 0)
    throw new MillraceError(
      "arguments-invalid",
      `--data ${folder} has no recordings: expected files such as DATA/s01/s01_01_sw.csv`,
    );
  const sensors = new Map<string, string[]>();
  for (const { file, name } of named)
    sensors.set(name.sensor, [...(sensors.get(name.sensor) ?? []), join(folder, file)]);
  return sensors;
}

/** @throws MillraceError `arguments-invalid` with file and line */
export function readRecordings(files: readonly string[]): Recording[] {
  return files.map((file) => {
    try {
      return parseRecording(basename(file), readFileSync(file, "utf8"));
    } catch (cause) {
      throw new MillraceError("arguments-invalid", `--data: ${(cause as Error).message}`, { cause });
    }
  });
}
