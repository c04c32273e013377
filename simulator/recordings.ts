import type { ImuSample } from "../domain/imu-message.ts";
import type { Milliseconds } from "../domain/time.ts";

/** One execution of one subject on one device: a file `sNN_EE_{sp|sw}.csv` of the data set sp-sw-har. */
export interface Recording {
  readonly file: string;
  /** Times since the first sample. They do not decrease, unless the recording's clock went back. */
  readonly offsetsMs: readonly Milliseconds[];
  readonly samples: readonly ImuSample[];
}

const COLUMNS = ["x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro"] as const;
const TIME_COLUMN = "timestamp";
const FILE_NAME = /^(s\d+)_(\d+)_(sp|sw)\.csv$/;

/** Parses the file name of a recording: its sensor (`s01-sw`) and execution. Null for other names. */
export function recordingName(fileName: string): { readonly sensor: string; readonly execution: number } | null {
  const match = FILE_NAME.exec(fileName);
  return match && { sensor: `${match[1]}-${match[3]}`, execution: Number(match[2]) };
}

/**
 * Parses a recording: a header with the columns' names, then one sample per line.
 *
 * @throws Error with file and line when a column is missing, a value is not a number, or there are no samples
 */
export function parseRecording(file: string, text: string): Recording {
  const lines = text.split(/\r?\n/);
  const header = lines[0]!.split(",").map((name) => name.trim());
  const positions = [...COLUMNS, TIME_COLUMN].map((name) => header.indexOf(name));
  const missing = [...COLUMNS, TIME_COLUMN].filter((_, i) => positions[i] === -1);
  if (missing.length > 0) throw new Error(`${file}: the header has no column ${missing.join(", ")}`);
  const offsetsMs: number[] = [];
  const samples: ImuSample[] = [];
  let first = NaN;
  for (let line = 1; line < lines.length; line++) {
    if (lines[line]!.trim() === "") continue;
    const cells = lines[line]!.split(",");
    const values = positions.map((position) => (cells[position]?.trim() ? Number(cells[position]) : NaN));
    if (!values.every(Number.isFinite))
      throw new Error(
        `${file}, line ${line + 1}: expected seven numbers, found ${JSON.stringify(lines[line]!.slice(0, 200))}`,
      );
    const time = values[6]!;
    if (offsetsMs.length === 0) first = time;
    offsetsMs.push(time - first);
    samples.push(values.slice(0, 6) as unknown as ImuSample);
  }
  if (samples.length === 0) throw new Error(`${file}: the recording has no samples`);
  return { file, offsetsMs, samples };
}
