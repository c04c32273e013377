import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { ImuSample } from "../domain/imu-message.ts";
import { findRecordings } from "../simulator/read-recordings.ts";

/** All recordings of one subject on one device, joined in the order of time. */
export interface LabelledStream {
  /** Subject and device, such as `s16-sw`. */
  readonly sensor: string;
  /** Epoch milliseconds, as recorded. */
  readonly t: readonly number[];
  readonly samples: readonly ImuSample[];
  readonly labels: readonly string[];
}

const COLUMNS = ["x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro", "timestamp", "label"];

/**
 * Reads a folder in the layout of sp-sw-har (`DATA/sNN/sNN_EE_{sp|sw}.csv`).
 *
 * @throws Error with file and line
 */
export function readLabelledStreams(folder: string): LabelledStream[] {
  return [...findRecordings(folder)].map(([sensor, files]) => {
    const recordings = files.map(readRecording).sort((a, b) => a.t[0]! - b.t[0]!);
    return {
      sensor,
      t: recordings.flatMap(({ t }) => t),
      samples: recordings.flatMap(({ samples }) => samples),
      labels: recordings.flatMap(({ labels }) => labels),
    };
  });
}

function readRecording(file: string): { t: number[]; samples: ImuSample[]; labels: string[] } {
  const lines = readFileSync(file, "utf8").split(/\r?\n/);
  const header = lines[0]!.split(",").map((name) => name.trim());
  const positions = COLUMNS.map((name) => header.indexOf(name));
  if (positions.includes(-1))
    throw new Error(`${basename(file)}: the header has no ${COLUMNS.filter((_, i) => positions[i] === -1).join(", ")}`);
  const rows = lines
    .slice(1)
    .flatMap((line, i) =>
      line.trim() === ""
        ? []
        : [{ line: i + 2, cells: positions.map((position) => line.split(",")[position]?.trim() ?? "") }],
    );
  for (const { line, cells } of rows)
    if (!cells.slice(0, 7).every((cell) => cell !== "" && Number.isFinite(Number(cell))) || cells[7] === "")
      throw new Error(`${basename(file)}, line ${line}: expected seven numbers and a label, found ${cells.join(",")}`);
  return {
    t: rows.map(({ cells }) => Number(cells[6])),
    samples: rows.map(({ cells }) => cells.slice(0, 6).map(Number) as unknown as ImuSample),
    labels: rows.map(({ cells }) => cells[7]!),
  };
}
