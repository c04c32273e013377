import type { Cause } from "../../domain/records.ts";
import type { Semantics } from "../../domain/semantics.ts";
import { topics } from "../../domain/topics.ts";
import type { LogRecord, Message, Run } from "./log.ts";
import { readMessage } from "./message.ts";
import { SeenNumbers } from "./numbers.ts";
import { Order } from "./order.ts";
import { type Keyed, Partition, runPartitions } from "./partition.ts";
import { Sessions } from "./sessions.ts";
import { magnitude } from "./statistics.ts";
import { Windows } from "./windows.ts";

interface Sensor extends Keyed {
  readonly numbers: SeenNumbers;
  windows: Windows;
  sessions: Sessions;
  order: Order;
}

/** One partition of the sensors. It keeps every reading. */
class SensorPartition extends Partition<Sensor> {
  protected readonly log = topics.imuData.name;
  protected readonly keyField = "sensorId";

  protected get maxKeys(): number {
    return this.settings.maxSensorsPerPartition;
  }

  protected data(record: LogRecord): void {
    const message = readMessage(record);
    if (typeof message === "string") return this.deadLetter(record, message);
    const guarded = this.guard(record, message.t);
    if (guarded !== undefined) return this.deadLetter(record, guarded);
    const known = this.find(message.sensorId);
    const verdict = known?.numbers.judge(message) ?? "new";
    if (verdict === "unknown") return this.deadLetter(record, "sequence-unknown");
    if (verdict === "seen" && message.t.at(-1)! > known!.highest) return this.deadLetter(record, "sequence-reused");
    const sensor = this.sawLife(message.sensorId);
    if (verdict === "seen") this.duplicates += 1;
    else this.accept(sensor, message);
  }

  /** Logs of the reference have no model records. */
  protected control(): boolean {
    return true;
  }

  private accept(sensor: Sensor, message: Message): void {
    const { maxIntervalsPerSensor, maxBootsPerSensor, maxLetGoBootsPerSensor } = this.settings;
    const isNewBoot = !sensor.numbers.knows(message.boot);
    sensor.numbers.add(message, maxIntervalsPerSensor, maxBootsPerSensor, maxLetGoBootsPerSensor);
    const before = this.watermark(sensor);
    const late = (fields: object): void =>
      this.write(topics.late.name, sensor.id, { seq: message.seq, ...boot(message), ...fields });
    sensor.windows.apply(message, before, sensor.finalUpTo, late, this.writer(topics.aggregated.name, sensor.id));
    sensor.sessions.apply(message, before, sensor.finalUpTo, late, this.writer(topics.sessions.name, sensor.id));
    const behind = ({ t, samples }: Message): void =>
      late({ operator: "inference", window: { start: t[0], end: t.at(-1) }, t, samples });
    sensor.order.take(message, isNewBoot, this.transformed, behind);
    this.moveWatermark(sensor, message.t);
  }

  protected fire(sensor: Sensor, watermark: number, cause: Cause): void {
    sensor.order.watermark(watermark, this.transformed);
    sensor.windows.fireDue(watermark, cause, this.writer(topics.aggregated.name, sensor.id));
    sensor.sessions.endDue(watermark, cause, this.writer(topics.sessions.name, sensor.id));
  }

  protected create(keyed: Keyed): Sensor {
    return { ...keyed, numbers: new SeenNumbers(), ...this.nothingOpen(keyed.id) };
  }

  protected clear(sensor: Sensor): void {
    Object.assign(sensor, this.nothingOpen(sensor.id));
  }

  /** The order continues where it is. */
  protected continue(sensor: Sensor, { order }: Sensor): void {
    sensor.order = order.under(this.settings);
  }

  private nothingOpen(id: string): { windows: Windows; sessions: Sessions; order: Order } {
    return {
      windows: new Windows(this.settings),
      sessions: new Sessions(id, this.settings),
      order: new Order(this.settings),
    };
  }

  private readonly transformed = (message: Message): void => {
    const accMag = message.samples.map((row) => magnitude(row[0]!, row[1]!, row[2]!));
    this.write(topics.transformed.name, message.sensorId, { seq: message.seq, ...boot(message), t: message.t, accMag });
  };
}

function boot(message: Message): { boot?: string } {
  return message.boot === undefined ? {} : { boot: message.boot };
}

/** The outputs that a log of sensors must have, see `runPartitions`. */
export function referenceRun(
  log: readonly LogRecord[],
  settings: Semantics,
  flush: boolean,
  override: Partial<Semantics> = {},
): Run {
  return runPartitions((...given) => new SensorPartition(...given), log, settings, flush, override);
}
