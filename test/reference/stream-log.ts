import type { Semantics } from "../../domain/semantics.ts";
import type { LogRecord } from "./log.ts";
import type { SettingsEvent, SettingsForm, TicksEvent } from "./stream-events.ts";

/** A log that grows by what happens. Keeps the clock of each partition. */
export class StreamLog {
  readonly log: LogRecord[] = [];
  protected readonly clocks: number[];
  /** The settings of the last settings record: what comes next lies on their bounds. */
  protected settings: Semantics;
  private readonly choices: readonly Semantics[];
  private changes = 0;
  protected readonly partitions: number;
  /** `choices`: what settings records put in force, the first ones being in force at the beginning. */
  constructor(choices: readonly Semantics[], origin: number, partitions: number) {
    this.settings = choices[0]!;
    this.choices = choices;
    this.partitions = partitions;
    this.clocks = Array.from({ length: partitions }, () => origin);
  }

  protected changeSettings({ which, form, advanceMs, partition }: SettingsEvent): void {
    const { watermark } = this.choices[0]!;
    const chosen: Semantics = { ...this.choices[which % this.choices.length]!, watermark };
    const header: Record<SettingsForm, object | string> = {
      new: chosen,
      "change again": chosen,
      "no JSON": "{",
      "one missing": { ...chosen, windowMs: undefined },
      contradiction: { ...chosen, slideMs: chosen.windowMs + 1 },
      "other scope": { ...chosen, watermark: watermark === "sensor" ? "partition" : "sensor" },
    };
    if (form === "new") this.settings = chosen;
    this.changes += form === "change again" ? 0 : 1;
    const text = typeof header[form] === "string" ? header[form] : JSON.stringify(header[form]);
    const headers = { type: "settings", change: `change-${this.changes}`, settings: text };
    this.append(partition % this.partitions, advanceMs, null, null, headers);
  }

  protected ticks({ count, advanceMs, partition }: TicksEvent): void {
    for (let i = 0; i < count; i += 1)
      this.append(partition % this.partitions, this.tickAdvance(advanceMs), null, null, { type: "tick" });
  }

  private tickAdvance(advanceMs: number | "idle" | "past idle"): number {
    if (typeof advanceMs === "number") return advanceMs;
    return this.settings.idleTimeoutMs + (advanceMs === "idle" ? 0 : 1);
  }

  protected append(
    partition: number,
    advanceMs: number,
    key: string | null,
    value: Uint8Array | null,
    headers: Record<string, string> = {},
    atLeast = -Infinity,
  ): void {
    const timestamp = Math.max(Math.ceil(this.clocks[partition]! + advanceMs), atLeast);
    this.clocks[partition] = Math.max(this.clocks[partition]!, timestamp);
    // Transactions and compaction leave gaps in the offsets of a log.
    const offset =
      (this.log.findLast((record) => record.partition === partition)?.offset ?? -1) +
      (this.log.length % 7 === 3 ? 3 : 1);
    // Every third record was traced.
    const traced =
      this.log.length % 3 === 1
        ? { traceparent: `00-${String(this.log.length).padStart(32, "0")}-00f067aa0ba902b7-01` }
        : {};
    this.log.push({ partition, offset, timestamp, key, value, headers: { ...headers, ...traced } });
  }
}
