import { setTimeout as sleep } from "node:timers/promises";
import { PutEventsCommand, type EventBridgeClient, type PutEventsRequestEntry } from "@aws-sdk/client-eventbridge";
import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import { TRADE_DETAIL_TYPE } from "../../domain/market.ts";
import type { PlannedPut } from "./faults.ts";

export interface EventPublisherOptions {
  readonly client: EventBridgeClient;
  readonly bus: string;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly onAcknowledged: (put: PlannedPut) => void;
}

/** Entries of a request, at most, by EventBridge's limit. */
const MAX_ENTRIES = 10;
const MAX_REQUESTS_IN_FLIGHT = 8;
/** How long an event waits for others. */
const LINGER_MS = 20;
const FIRST_BACK_OFF_MS = 100;
const LONGEST_BACK_OFF_MS = 5_000;
const SOURCE = "millrace.simulator";
/** Errors after which an entry may succeed. */
const RETRYABLE: readonly string[] = ["ThrottlingException", "InternalFailure", "InternalException"];

/**
 * Puts events, ten at a time. An entry that failed is put again, with the same content, until it is acknowledged; one
 * that would fail again is logged and counted.
 */
export class EventPublisher {
  readonly #options: EventPublisherOptions;
  #buffer: PlannedPut[] = [];
  #timer: NodeJS.Timeout | undefined;
  #requests = 0;
  #waiting: (() => void)[] = [];
  #events = 0;
  #closed = false;
  #lastLogged = "";

  constructor(options: EventPublisherOptions) {
    this.#options = options;
  }

  /** Events that are published and not acknowledged. */
  get inFlight(): number {
    return this.#events;
  }

  /** Publishes an event. Resolves when one more may be published. There must be one caller at a time. */
  async publish(put: PlannedPut): Promise<void> {
    this.#events++;
    this.#buffer.push(put);
    if (this.#buffer.length >= MAX_ENTRIES) await this.#flush();
    else this.#timer ??= setTimeout(() => void this.#flush(), LINGER_MS);
  }

  /** Lets `publish` return, though too much is in flight. */
  release(): void {
    const waiting = this.#waiting.splice(0);
    this.#requests += waiting.length;
    for (const resolve of waiting) resolve();
  }

  /** Waits until all events are acknowledged, at most `limitMs`. */
  async close(limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    void this.#flush();
    while (this.#events > 0 && performance.now() < deadline) await sleep(10);
    this.#closed = true;
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const puts = this.#buffer.splice(0, MAX_ENTRIES);
    if (puts.length === 0) return;
    if (this.#requests >= MAX_REQUESTS_IN_FLIGHT) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#requests++;
    void this.#untilAcknowledged(puts).finally(() => {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#requests--;
    });
  }

  async #untilAcknowledged(puts: readonly PlannedPut[]): Promise<void> {
    const publishedAt = performance.now();
    let left = puts;
    for (let attempt = 1; left.length > 0 && !this.#closed; attempt++) {
      if (attempt > 1) await sleep(Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(attempt - 2, 10)));
      left = await this.#put(left, publishedAt);
    }
  }

  /** Puts events once. Resolves with those that are to be put again. */
  async #put(puts: readonly PlannedPut[], publishedAt: number): Promise<PlannedPut[]> {
    const { client, metrics, onAcknowledged } = this.#options;
    const again: PlannedPut[] = [];
    try {
      const { Entries: entries = [] } = await client.send(
        new PutEventsCommand({ Entries: puts.map((put) => this.#entry(put)) }),
      );
      for (const [i, put] of puts.entries()) {
        const { ErrorCode: code, ErrorMessage: message } = entries[i] ?? { ErrorCode: "InternalFailure" };
        if (code !== undefined) {
          metrics.add("simulator.failed-entries");
          this.#log(`${code}: ${message ?? ""}`);
          if (RETRYABLE.includes(code)) again.push(put);
          else this.#events--;
          continue;
        }
        this.#events--;
        metrics.time("simulator.publish-latency", performance.now() - publishedAt);
        onAcknowledged(put);
      }
    } catch (error) {
      this.#log((error as Error).message || (error as Error).name);
      metrics.add("simulator.failed-entries", puts.length);
      return [...puts];
    }
    return again;
  }

  #entry({ detail, time }: PlannedPut): PutEventsRequestEntry {
    return {
      EventBusName: this.#options.bus,
      Source: SOURCE,
      DetailType: TRADE_DETAIL_TYPE,
      Detail: JSON.stringify(detail),
      ...(time === undefined ? {} : { Time: new Date(time) }),
    };
  }

  #log(problem: string): void {
    if (problem !== this.#lastLogged) this.#options.logger.warn({ problem }, "events were not acknowledged");
    this.#lastLogged = problem;
  }
}
