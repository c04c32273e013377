import type { EpochMs } from "../domain/time.ts";
import type { DeviceDelivery } from "./feed.ts";

export interface ExecutionReport {
  /** File name of the recording, or `synthetic`. */
  readonly name: string;
  readonly number: number;
  /** Event times of the first and the last sample. */
  start: EpochMs;
  end: EpochMs;
  samples: number;
}

export interface SensorReport {
  /** Messages and samples, without duplicates and corrupt copies. */
  messages: number;
  samples: number;
  /** How many of `messages` were delayed. */
  late: number;
  /** Additional copies. */
  duplicates: number;
  corrupt: number;
  readonly executions: ExecutionReport[];
}

/** Counts what the broker has acknowledged, so that a test can account for every reading. */
export class Report {
  readonly sensors = new Map<string, SensorReport>();

  count({ device, message, kind }: DeviceDelivery, eventTimes: readonly EpochMs[]): void {
    let sensor = this.sensors.get(device.sensorId);
    if (!sensor)
      this.sensors.set(
        device.sensorId,
        (sensor = { messages: 0, samples: 0, late: 0, duplicates: 0, corrupt: 0, executions: [] }),
      );
    if (kind === "duplicate") sensor.duplicates++;
    if (kind === "corrupt") sensor.corrupt++;
    if (kind !== "original" && kind !== "late") return;
    const { execution, samples } = message;
    sensor.messages++;
    sensor.samples += samples.length;
    if (kind === "late") sensor.late++;
    const start = eventTimes[0]!;
    const end = eventTimes.at(-1)!;
    const known = sensor.executions.find(({ number }) => number === execution.number);
    if (!known) sensor.executions.push({ ...execution, start, end, samples: samples.length });
    else
      Object.assign(known, {
        start: Math.min(known.start, start),
        end: Math.max(known.end, end),
        samples: known.samples + samples.length,
      });
  }

  totals(): { sensors: number } & Omit<SensorReport, "executions"> & { executions: number } {
    const sum = {
      sensors: this.sensors.size,
      messages: 0,
      samples: 0,
      late: 0,
      duplicates: 0,
      corrupt: 0,
      executions: 0,
    };
    for (const sensor of this.sensors.values()) {
      for (const name of ["messages", "samples", "late", "duplicates", "corrupt"] as const) sum[name] += sensor[name];
      sum.executions += sensor.executions.length;
    }
    return sum;
  }
}
