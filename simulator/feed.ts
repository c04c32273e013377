import { deliveries, type Delivery, type Faults } from "./faults.ts";
import { Heap } from "./heap.ts";
import type { PlannedMessage } from "./plan.ts";
import type { Random } from "./synthetic/random.ts";

/** A simulated device. */
export interface Device {
  readonly sensorId: string;
  /** In the order of `dueMs`. May be infinite. */
  readonly messages: Iterator<PlannedMessage>;
  /** Source of this device's faults. */
  readonly random: Random;
}

export interface DeviceDelivery extends Delivery {
  readonly device: Device;
}

/** The publications of several devices in the order of `dueMs`. It buffers one message per device, and delayed ones. */
export class Feed {
  readonly #faults: Faults;
  readonly #heap = new Heap<{ readonly device: Device; readonly planned: PlannedMessage } | DeviceDelivery>();

  constructor(devices: readonly Device[], faults: Faults) {
    this.#faults = faults;
    for (const device of devices) this.#plan(device);
  }

  /** The next publication; null at the end. */
  next(): DeviceDelivery | null {
    for (let item = this.#heap.pop(); item; item = this.#heap.pop()) {
      if (!("planned" in item)) return item;
      const { device, planned } = item;
      for (const delivery of deliveries(planned, this.#faults, device.random))
        this.#heap.push(delivery.dueMs, { ...delivery, device });
      this.#plan(device);
    }
    return null;
  }

  #plan(device: Device): void {
    const { value, done } = device.messages.next();
    if (!done) this.#heap.push((value as PlannedMessage).dueMs, { device, planned: value as PlannedMessage });
  }
}
