import { windowChannels, windowOperatorName } from "../domain/imu.ts";
import { recordId, sessionId, type SessionRecord, type WindowRecord } from "../domain/records.ts";
import { SECOND, type EpochMs, type Milliseconds } from "../domain/time.ts";
import { topics } from "../domain/topics.ts";

/** A day has 2,160 sessions of a sensor then: 43,200 of 20 sensors. */
const SESSION_EVERY_MS: Milliseconds = 40 * SECOND;
/** The rest of the time is a pause. */
const SESSION_MS: Milliseconds = 25 * SECOND;

export function storeSensor(n: number): string {
  return `store-${n}`;
}

/** The windows of a second of a sensor that start in [from, to), which are whole seconds. */
export function windowsOf(sensorId: string, from: EpochMs, to: EpochMs): WindowRecord[] {
  return startsIn(from, to, SECOND).map((start) => ({
    id: recordId(topics.imuData.name, 0, start, 0),
    schema: 1,
    sensorId,
    operator: windowOperatorName(SECOND, SECOND),
    window: { start, end: start + SECOND },
    revision: 0,
    cause: "watermark",
    count: 100,
    channels: Object.fromEntries(
      // As many digits as real statistics have: they are most of a document's bytes.
      windowChannels.map((name, i) => {
        const mean = Math.sin(start / 7_001 + i);
        return [name, { mean, std: mean / 3 + 0.5, min: mean - 1 / 3, max: mean + 1 / 7, rms: Math.abs(mean) * 1.01 }];
      }),
    ) as WindowRecord["channels"],
  }));
}

/** The records that a sensor's sessions give in [from, to): `started` at their start, `ended` at their end. */
export function sessionsOf(sensorId: string, from: EpochMs, to: EpochMs): SessionRecord[] {
  const common = (start: EpochMs) => ({
    id: recordId(topics.imuData.name, 0, start, 0),
    schema: 1 as const,
    sessionId: sessionId(sensorId, start),
    sensorId,
    start,
    supersedes: [],
  });
  return [
    ...startsIn(from, to, SESSION_EVERY_MS).map((start) => ({ ...common(start), type: "started" as const })),
    ...startsIn(from - SESSION_MS, to - SESSION_MS, SESSION_EVERY_MS).map((start) => ({
      ...common(start),
      type: "ended" as const,
      end: start + SESSION_MS,
      samples: SESSION_MS / 10,
      revision: 0,
      cause: "watermark" as const,
    })),
  ];
}

/** The multiples of `every` in [from, to). */
function startsIn(from: EpochMs, to: EpochMs, every: Milliseconds): EpochMs[] {
  const first = Math.ceil(from / every) * every;
  return Array.from({ length: Math.max(0, Math.ceil((to - first) / every)) }, (_, i) => first + i * every);
}
