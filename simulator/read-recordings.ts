import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { MillraceError } from "../domain/errors.ts";
import { parseRecording, recordingName, type Recording } from "./recordings.ts";

/** Files of each sensor in the order of execution, sensors in order of name; looked for in the folder and all below it. */
export function findRecordings(folder: string): Map<string, string[]> {
  let files: string[];
  try {
    files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch (cause) {
    throw new MillraceError("arguments-invalid", `--data ${folder} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
  const named = files
    .map((file) => ({ file, name: recordingName(basename(file)) }))
    .filter((entry): entry is { file: string; name: NonNullable<typeof entry.name> } => entry.name !== null)
    .sort((a, b) =>
      a.name.sensor < b.name.sensor ? -1 : a.name.sensor > b.name.sensor ? 1 : a.name.execution - b.name.execution,
    );
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

/** @throws MillraceError `arguments-invalid` that names file and line. */
export function readRecordings(files: readonly string[]): Recording[] {
  return files.map((file) => {
    try {
      return parseRecording(basename(file), readFileSync(file, "utf8"));
    } catch (cause) {
      throw new MillraceError("arguments-invalid", `--data: ${(cause as Error).message}`, { cause });
    }
  });
}
