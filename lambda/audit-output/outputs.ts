import { z } from "zod";
import type { PipelineName } from "../../domain/pipelines.ts";
import { barRecord, inferenceRecord, outputRecords, windowRecord, type Cause } from "../../domain/records.ts";
import type { EpochMs, TimeInterval } from "../../domain/time.ts";
import { topics } from "../../domain/topics.ts";

/** A window or bar, as far as the audit compares it with others. */
export interface WindowSight {
  /** The sensor or symbol. */
  readonly key: string;
  readonly operator: string;
  readonly window: TimeInterval;
  readonly revision: number;
  readonly cause: Cause;
  /** Readings in it; trades of any status. */
  readonly readings: number;
  /** Event times of the first and the last; null where the record does not say. */
  readonly extent: { readonly first: EpochMs; readonly last: EpochMs } | null;
}

/** What the audit takes from an output record. */
export interface Sight {
  readonly id: string;
  /** Event time from which the record's latency counts; null for a record that waits for time to pass. */
  readonly eventTime: EpochMs | null;
  readonly window?: WindowSight;
  /** Readings or trades that missed a window. */
  readonly late?: number;
}

/** A topic that is audited. */
export interface AuditedOutput {
  readonly pipeline: PipelineName;
  /** Whether the pipeline's latency metrics are about this topic; the log has those of every topic. */
  readonly isTimed: boolean;
  /** @throws ZodError when the value does not follow the contract */
  read(value: unknown): Sight;
}

const aggregated = windowRecord.pick({
  id: true,
  sensorId: true,
  operator: true,
  window: true,
  revision: true,
  cause: true,
  count: true,
});
const bar = barRecord.pick({
  id: true,
  symbol: true,
  operator: true,
  window: true,
  revision: true,
  cause: true,
  count: true,
  pending: true,
  cancelled: true,
  firstTrade: true,
  lastTrade: true,
});
const session = z.object({ id: z.string(), type: z.enum(["started", "ended"]), start: z.number() });
const inference = inferenceRecord.pick({ id: true, window: true });
const late = outputRecords.late.pick({ id: true, operator: true }).extend({ t: z.array(z.unknown()) });
const enriched = outputRecords.marketEnriched.pick({ id: true, timestamp: true, status: true });
const position = outputRecords.marketPositions.pick({ id: true, timestamp: true });
const alert = outputRecords.marketAlerts
  .pick({ id: true, status: true })
  .extend({ trade: z.object({ timestamp: z.number() }) });
const marketLate = outputRecords.marketLate.pick({ id: true });

/** Only a window that fired by the watermark, for the first time, was due when its time was over. */
function dueAt({ window, revision, cause }: Pick<WindowSight, "window" | "revision" | "cause">): EpochMs | null {
  return revision === 0 && cause === "watermark" ? window.end : null;
}

/** The outputs of both pipelines, by topic. */
export const auditedOutputs: Readonly<Record<string, AuditedOutput>> = {
  [topics.aggregated.name]: {
    pipeline: "sensor",
    isTimed: true,
    read: (value) => {
      const { id, sensorId: key, count: readings, ...rest } = aggregated.parse(value);
      return { id, eventTime: dueAt(rest), window: { key, readings, extent: null, ...rest } };
    },
  },
  [topics.sessions.name]: {
    pipeline: "sensor",
    isTimed: false,
    read: (value) => {
      const { id, type, start } = session.parse(value);
      return { id, eventTime: type === "started" ? start : null };
    },
  },
  [topics.inference.name]: {
    pipeline: "sensor",
    isTimed: false,
    read: (value) => {
      const { id, window } = inference.parse(value);
      return { id, eventTime: window.end };
    },
  },
  [topics.late.name]: {
    pipeline: "sensor",
    isTimed: false,
    read: (value) => {
      const { id, operator, t } = late.parse(value);
      return { id, eventTime: null, late: operator === "window" ? t.length : 0 };
    },
  },
  [topics.marketEnriched.name]: {
    pipeline: "market",
    isTimed: true,
    read: (value) => {
      const { id, timestamp, status } = enriched.parse(value);
      // A cancellation comes when somebody cancels.
      return { id, eventTime: status === "cancelled" ? null : timestamp };
    },
  },
  [topics.marketAggregated.name]: {
    pipeline: "market",
    isTimed: false,
    read: (value) => {
      const { id, symbol: key, count, pending, cancelled, firstTrade, lastTrade, ...rest } = bar.parse(value);
      const extent = firstTrade === null || lastTrade === null ? null : { first: firstTrade, last: lastTrade };
      return { id, eventTime: dueAt(rest), window: { key, readings: count + pending + cancelled, extent, ...rest } };
    },
  },
  [topics.marketPositions.name]: {
    pipeline: "market",
    isTimed: false,
    read: (value) => {
      const { id, timestamp } = position.parse(value);
      return { id, eventTime: timestamp };
    },
  },
  [topics.marketAlerts.name]: {
    pipeline: "market",
    isTimed: false,
    read: (value) => {
      const { id, status, trade } = alert.parse(value);
      return { id, eventTime: status === "raised" ? trade.timestamp : null };
    },
  },
  [topics.marketLate.name]: {
    pipeline: "market",
    isTimed: false,
    read: (value) => ({ id: marketLate.parse(value).id, eventTime: null, late: 1 }),
  },
};
