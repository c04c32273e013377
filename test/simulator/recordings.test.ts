import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { findRecordings, readRecordings } from "../../simulator/read-recordings.ts";
import { parseRecording, recordingName } from "../../simulator/recordings.ts";

const HEADER = "x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro,timestamp,label";

describe("a recording", () => {
  test("keeps every digit, and has times since its first sample", () => {
    const text = [
      HEADER,
      "-4.160221099853516,-1.5,-9,0.0028251686599105597,0,1e-3,1657533977813,SEATED",
      "1,2,3,4,5,6,1657533977864,WALKING",
      "",
    ].join("\n");
    expect(parseRecording("s01_01_sp.csv", text)).toEqual({
      file: "s01_01_sp.csv",
      offsetsMs: [0, 51],
      samples: [
        [-4.160221099853516, -1.5, -9, 0.0028251686599105597, 0, 0.001],
        [1, 2, 3, 4, 5, 6],
      ],
    });
  });

  test("may have columns in another order, Windows line ends and empty lines", () => {
    const text = "timestamp,label,z_gyro,y_gyro,x_gyro,z_acc,y_acc,x_acc\r\n10,SEATED,6,5,4,3,2,1\r\n\r\n";
    expect(parseRecording("f", text)).toEqual({ file: "f", offsetsMs: [0], samples: [[1, 2, 3, 4, 5, 6]] });
  });

  test.each([
    ["x_acc,y_acc,timestamp\n1,2,3", /no column z_acc, x_gyro, y_gyro, z_gyro/],
    [`${HEADER}\n1,2,3,4,5,6,7,A\n1,2,x,4,5,6,8,A`, /line 3.*1,2,x/],
    [`${HEADER}\n1,2,3,,5,6,7,A`, /line 2/],
    [`${HEADER}\n`, /no samples/],
  ])("that is none says where and why: %j", (text, message) => {
    expect(() => parseRecording("s01_01_sp.csv", text)).toThrow(message);
    expect(() => parseRecording("s01_01_sp.csv", text)).toThrow(/s01_01_sp\.csv/);
  });

  test("belongs to the sensor in its file name", () => {
    expect(recordingName("s16_07_sw.csv")).toEqual({ sensor: "s16-sw", execution: 7 });
    expect(recordingName("subjects_info.csv")).toBeNull();
  });
});

test("recordings are found in the folder or below it, by sensor, in the order of execution", () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-recordings-"));
  try {
    for (const subject of ["s02", "s01"]) mkdirSync(join(folder, "DATA", subject), { recursive: true });
    const names = ["s02/s02_01_sp", "s01/s01_10_sw", "s01/s01_02_sw", "s01/s01_01_sp"];
    for (const name of names) writeFileSync(join(folder, "DATA", `${name}.csv`), `${HEADER}\n1,2,3,4,5,6,7,A\n`);
    writeFileSync(join(folder, "DATA", "subjects_info.csv"), "subject\n");
    const path = (name: string): string => join(folder, "DATA", `${name}.csv`);
    const expected = [
      ["s01-sp", [path("s01/s01_01_sp")]],
      ["s01-sw", [path("s01/s01_02_sw"), path("s01/s01_10_sw")]],
      ["s02-sp", [path("s02/s02_01_sp")]],
    ];
    expect([...findRecordings(folder)]).toEqual(expected);
    expect([...findRecordings(join(folder, "DATA"))]).toEqual(expected);
    expect(readRecordings([path("s01/s01_01_sp")])[0]!.samples).toEqual([[1, 2, 3, 4, 5, 6]]);
    expect(() => findRecordings(join(folder, "DATA", "nowhere"))).toThrow(/cannot be read/);
    mkdirSync(join(folder, "empty"));
    expect(() => findRecordings(join(folder, "empty"))).toThrow(/no recordings/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
