import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import { eventBusName, TRADE_DETAIL_TYPE } from "../../domain/market.ts";
import { parseBody } from "../aws/json-protocol.ts";
import { listen } from "../aws/listen.ts";
import { ServiceError } from "../aws/service-error.ts";
import { eventJson, limits, readEntries, type Entry, type FailedEntry } from "./protocol.ts";
import { EventQueue, type EventQueueOptions } from "./queue.ts";

export interface EventBusOptions extends EventQueueOptions {
  readonly environment: string;
  readonly port: number;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface EventBus {
  readonly port: number;
  /** Why acknowledged events do not reach the function at the moment; null when they do. */
  problem(): string | null;
  /** Stops accepting events, and delivers those that are due, for at most five seconds. */
  close(): Promise<void>;
}

/** A string of JSON has at most six bytes for one of its text, and the request some more around the entries. */
const MAX_BODY_BYTES = 6 * limits.requestBytes + 64 * 1024;
/** Time between two log lines about events of a bus that does not exist. */
const WARN_INTERVAL_MS = 5_000;

type ResultEntry = FailedEntry | { readonly EventId: string };

/**
 * Starts the EventBridge endpoint with the market's event bus, whose one rule gives the events of detail type `Trade`
 * to a queue. As with the service, an event that no rule takes is acknowledged and dropped, and so is one of a bus that
 * does not exist. It binds the port first, so that a second process cannot open the same journal.
 *
 * @throws MillraceError `port-taken`
 */
export async function startEventBus(options: EventBusOptions): Promise<EventBus> {
  const { environment, region, log, metrics } = options;
  const bus = eventBusName(environment);
  let opened: (queue: EventQueue) => void = () => {};
  const ready = new Promise<EventQueue>((resolve) => {
    opened = resolve;
  });
  let warnedMs = -Infinity;
  const warnOfUnknownBus = (name: string): void => {
    if (performance.now() - warnedMs < WARN_INTERVAL_MS) return;
    warnedMs = performance.now();
    log.error({ bus: name, buses: ["default", bus] }, "events of a bus that does not exist are dropped");
  };
  const isTaken = (entry: Entry): boolean => entry.bus === bus && entry.detailType === TRADE_DETAIL_TYPE;

  const putEvents = async (body: Readonly<Record<string, unknown>>): Promise<object> => {
    const entries = readEntries(body);
    const nowMs = Date.now();
    const events = entries.flatMap((entry, index) => {
      if ("ErrorCode" in entry || !isTaken(entry)) return [];
      const id = randomUUID();
      const { traceHeader } = entry;
      return [{ index, id, body: eventJson(entry, id, nowMs, region), traceHeader }];
    });
    let stored = 0;
    let failure: FailedEntry = {
      ErrorCode: "ThrottlingException",
      ErrorMessage: "Rate exceeded: too many events wait.",
    };
    try {
      stored = await (await ready).put(events, nowMs);
    } catch (error) {
      log.error({ err: error }, "cannot write events to the journal");
      failure = { ErrorCode: "InternalFailure", ErrorMessage: "The event could not be stored." };
    }
    const results = new Map<number, ResultEntry>(
      events.map(({ index, id }, i) => [index, i < stored ? { EventId: id } : failure]),
    );
    const answers = entries.map((entry, index): ResultEntry => {
      if ("ErrorCode" in entry) return entry;
      const result = results.get(index);
      if (result) return result;
      if (entry.bus !== bus && entry.bus !== "default") warnOfUnknownBus(entry.bus);
      metrics.add("events.unmatched");
      return { EventId: randomUUID() };
    });
    const failed = answers.filter((answer) => "ErrorCode" in answer).length;
    metrics.add("events.entries", answers.length - failed);
    metrics.add("events.refused", failed);
    return { FailedEntryCount: failed, Entries: answers };
  };

  const app = new Hono();
  const tooLarge = (): Response =>
    new ServiceError("RequestEntityTooLargeException", 413, `the body has over ${MAX_BODY_BYTES} bytes`).toResponse();
  app.post("/", bodyLimit({ maxSize: MAX_BODY_BYTES, onError: tooLarge }), async (context) => {
    const target = context.req.header("x-amz-target") ?? "";
    if (target !== "AWSEvents.PutEvents")
      throw new ServiceError(
        "UnknownOperationException",
        400,
        `unknown target ${JSON.stringify(target)}; there is AWSEvents.PutEvents`,
      );
    return context.json(await putEvents(parseBody(await context.req.text())));
  });
  app.notFound(() => new ServiceError("UnknownOperationException", 404, "POST / takes PutEvents").toResponse());
  app.onError((error) => {
    if (error instanceof ServiceError) return error.toResponse();
    log.error({ err: error }, "a call failed");
    return new ServiceError("InternalFailure", 500, "the request failed because of an internal error").toResponse();
  });

  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  const port = await listen(server, options.port);
  const queue = await EventQueue.open(options);
  opened(queue);
  return {
    port,
    problem: () => queue.problem(),
    close: async () => {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeIdleConnections();
      });
      await queue.close();
    },
  };
}
