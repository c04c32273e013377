import { newPackedImuHeader, packedImu, readPackedBoot, readPackedImuHeader } from "../../../domain/packed-imu.ts";
import type { SequencedMessage } from "../../operators/sequenced-message.ts";
import { MAX_ROWS, type Rejection } from "../../runtime/message.ts";
import type { SampleTimes } from "./sample-times.ts";

const header = newPackedImuHeader();

/** Reads a packed IMU message straight into columns. Ranges are not checked here. */
export function decodePackedImu(bytes: Uint8Array, message: SequencedMessage): Rejection | SampleTimes {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const problem = readPackedImuHeader(view, header);
  if (problem) return problem;
  const { count, bootLength, timePerSample, timesAt, columnsAt } = header;
  const boot = bootLength < 0 ? null : readPackedBoot(bytes, bootLength);
  if (bootLength >= 0 && boot === null) return { code: "invalid-packed", message: "boot is not UTF-8" };
  message.seq = header.seq;
  message.boot = boot;
  message.rows = count;
  let at = columnsAt;
  for (let channel = 0; channel < packedImu.channels; channel++) {
    const column = channel * MAX_ROWS;
    for (let row = 0; row < count; row++, at += 4) message.columns[column + row] = view.getFloat32(at, true);
  }
  if (!timePerSample) return { times: 0, t: view.getFloat64(timesAt, true), hz: view.getFloat64(timesAt + 8, true) };
  for (let row = 0; row < count; row++) message.t[row] = view.getFloat64(timesAt + 8 * row, true);
  return { times: count, t: NaN, hz: NaN };
}
