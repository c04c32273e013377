import type { Metrics } from "../adapters/metrics.ts";
import type { LogRecord } from "../adapters/record-batches.ts";
import { messageNumberOf, readLetter } from "../domain/dead-letters.ts";
import { rejectedTopic, type RejectedNotice } from "../domain/imu.ts";
import { MINUTE, SECOND, type EpochMs } from "../domain/time.ts";

/** A device gets one notice in this time, at most. */
const EVERY_MS = SECOND;
/** Notices in that time for all devices, at most: IoT Core takes 100 messages a second from a connection. */
export const MOST_NOTICES = 100;
/** A letter that is older is no news: its device has sent others since. */
const NEWS_MS = MINUTE;

const text = new TextDecoder();

/** A record of the dead-letter topic. */
export type Letter = Pick<LogRecord, "partition" | "offset" | "timestamp" | "key" | "value" | "headers">;

/** Says to devices that a message of theirs was refused, and why. */
export class RejectedNotices {
  readonly #publish: (topic: string, payload: string) => boolean;
  readonly #metrics: Metrics;
  /** When each sensor got its notice, oldest first: those of the last `EVERY_MS`. */
  readonly #notified = new Map<string, EpochMs>();

  /** @param publish Gives false where the notice could not be sent. */
  constructor(publish: (topic: string, payload: string) => boolean, metrics: Metrics) {
    this.#publish = publish;
    this.#metrics = metrics;
  }

  /** Publishes the notice of a dead letter, if it is about a sensor and is news. What is held back is counted. */
  take(record: Letter, nowMs: EpochMs): void {
    const { partition, offset, timestamp, headers } = record;
    const key = record.key === null ? null : text.decode(record.key);
    const { sensorId, code, message, contentType, at } = readLetter({ partition, offset, timestamp, key, headers });
    if (sensorId === null || nowMs - at > NEWS_MS) return;
    for (const [sensor, notifiedAt] of this.#notified) {
      if (nowMs - notifiedAt < EVERY_MS) break;
      this.#notified.delete(sensor);
    }
    const mayNotify = this.#notified.size < MOST_NOTICES && !this.#notified.has(sensorId);
    const notice: RejectedNotice = { code, message, ...messageNumberOf(record.value, contentType) };
    const isSent = mayNotify && this.#publish(rejectedTopic(sensorId), JSON.stringify(notice));
    if (isSent) this.#notified.set(sensorId, nowMs);
    this.#metrics.add(isSent ? "bridge.notices" : "bridge.notices-held-back");
  }
}
