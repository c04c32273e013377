import type { Logger } from "../adapters/log.ts";
import type { Metrics } from "../adapters/metrics.ts";
import type { GapReason } from "../domain/live-messages.ts";
import {
  ALL_SENSORS,
  isBeyond,
  resumePositionOf,
  resumeTopics,
  resumeTypes,
  type ResumePosition,
  type ResumeType,
} from "../domain/resume.ts";
import { resumeMessage, type Message } from "./messages.ts";
import { newestOf, readBack, readOn, replayedOf, whereToRead, type ReadBack, type ReplayLog } from "./replay.ts";
import type { ResumeEntry, Resumes } from "./resumes.ts";

/** Bytes that may wait for a connection when it has been sent again what it missed: half of what closes it. */
export const MOST_WAITING = 2 * 1_024 * 1_024;

/** What live knows of the partitions that it reads. */
export interface ResumeTail {
  /** Offset to read next; null where this process does not read the partition. */
  position(topic: string, partition: number): number | null;
  /** How many partitions a topic has; 0 before that is known. */
  countOf(topic: string): number;
  /** The partition of a sensor in a topic. */
  partitionOf(topic: string, sensorId: string): number;
}

export interface ResumerOptions {
  readonly resumes: Resumes;
  readonly tail: ResumeTail;
  /** Opens the log for one round. */
  readonly openLog: () => ReplayLog & { close(): Promise<void> };
  /** Sends messages to a connection. */
  readonly send: (connectionId: string, messages: readonly Message[]) => void;
  /** Bytes that wait for a connection. */
  readonly waitingFor: (connectionId: string) => number;
  /** Whether there is room for more to wait. */
  readonly hasRoom: () => boolean;
  /** Notes that a connection has been sent what it asked for. */
  readonly resumed: (entry: ResumeEntry) => void;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/**
 * Sends connections again what they missed, from the log: one topic and partition at a time, for all that wait for it.
 * Connections to the log are open only meanwhile.
 */
export class Resumer {
  readonly #options: ResumerOptions;
  #round: Promise<void> | null = null;

  constructor(options: ResumerOptions) {
    this.#options = options;
  }

  /** Sends what can be sent now, unless it does so already. To be called again while somebody waits. */
  run(): Promise<void> {
    return (this.#round ??= this.#runOnce().finally(() => (this.#round = null)));
  }

  /** Never rejects: what could not be sent waits for the next round. */
  async #runOnce(): Promise<void> {
    const { resumes, tail, openLog, hasRoom, log } = this.#options;
    const count = tail.countOf(resumeTopics.window);
    const waiting = count === 0 ? [] : resumes.waiting;
    // Another process may have the partition. For an id of a partition that is not there, one process answers.
    const mine = Map.groupBy(
      waiting.filter(({ resume }) => tail.position(resumeTopics.session, resume.partition % count) !== null),
      ({ resume }) => resume.partition,
    );
    if (mine.size === 0) return;
    const read = openLog();
    try {
      for (const [partition, entries] of mine) {
        for (const type of resumeTypes) if (hasRoom()) await this.#send(read, type, partition, entries);
        for (const entry of entries) this.#finish(entry);
      }
    } catch (error) {
      log.warn({ err: error }, "what clients missed can't be read; trying again");
    } finally {
      await read.close();
    }
  }

  async #send(log: ReplayLog, type: ResumeType, partition: number, entries: readonly ResumeEntry[]): Promise<void> {
    const { tail, waitingFor } = this.#options;
    const waiting = entries.filter(({ states }) => states.get(type) === "waiting");
    const here: ResumeEntry[] = [];
    for (const entry of waiting)
      if (this.#isThere(entry, type)) here.push(entry);
      else this.#tellGap(entry, type, "moved");
    if (here.length === 0) return;
    let read = await readBack(log, type, partition, oldestOf(here, type));
    const newest = await newestId(log, read, here);
    for (;;) {
      const next = tail.position(resumeTopics[type], partition);
      if (next === null) return;
      if (read.end >= next) break;
      read = await readOn(log, read);
    }
    // Nothing is awaited from here on: no record comes between what is sent again and what the tail brings.
    for (const entry of here) {
      const { connectionId, resume, states } = entry;
      if (states.get(type) !== "waiting") continue;
      const room = MOST_WAITING - waitingFor(connectionId);
      const { messages, through, gap } = replayedOf(read, resume, room, newest);
      const gaps = gap === null ? [] : [resumeMessage(resume.sensorId, { type: "gap", data: gap })];
      this.#take(entry, type, through, [...gaps, ...messages]);
    }
  }

  /** Whether a sensor's records are in the partition of the id. */
  #isThere({ resume: { sensorId, partition } }: ResumeEntry, type: ResumeType): boolean {
    const { tail } = this.#options;
    const topic = resumeTopics[type];
    if (sensorId === ALL_SENSORS) return partition < tail.countOf(topic);
    return tail.partitionOf(topic, sensorId) === partition;
  }

  #tellGap(entry: ResumeEntry, type: ResumeType, reason: GapReason): void {
    const { sensorId, after } = entry.resume;
    const unknown = { before: null, from: null, to: null };
    const data = { type, reason, after: after[type]!, ...unknown, ...whereToRead(type, sensorId, unknown) };
    this.#take(entry, type, null, [resumeMessage(sensorId, { type: "gap", data })]);
  }

  /** Sends messages of a type; then the connection gets what is beyond a record. */
  #take(entry: ResumeEntry, type: ResumeType, through: ResumePosition | null, messages: readonly Message[]): void {
    const { send, metrics } = this.#options;
    const records = messages.filter((message) => message.type !== "gap").length;
    entry.sent[type] = records;
    metrics.add("live.resumed", records);
    metrics.add("live.gaps", messages.length - records);
    if (through === null) entry.states.delete(type);
    else entry.states.set(type, through);
    send(entry.connectionId, messages);
  }

  #finish(entry: ResumeEntry): void {
    const { resume, connectionId, sent, states } = entry;
    if (entry.isDone || [...states.values()].includes("waiting")) return;
    entry.isDone = true;
    const { sensorId, partition } = resume;
    this.#options.send(connectionId, [resumeMessage(sensorId, { type: "resumed", data: { partition, sent } })]);
    this.#options.resumed(entry);
  }
}

/** The lowest of the ids that connections gave. */
function oldestOf(entries: readonly ResumeEntry[], type: ResumeType): ResumePosition {
  return entries
    .map(({ resume }) => resumePositionOf(resume.after[type]!)!)
    .reduce((oldest, one) => (isBeyond(oldest, one) ? one : oldest));
}

/** Behind every position. */
const END = { generation: Infinity, offset: Infinity, n: Infinity } as const;

/**
 * The newest id of a partition, as far as it matters. Where a client names an id that this topic has not got to, the
 * other topics are looked at: it may be of one of them, and of this type nothing has come since.
 */
async function newestId(
  log: ReplayLog,
  read: ReadBack,
  entries: readonly ResumeEntry[],
): Promise<ResumePosition | null> {
  const { type, partition } = read;
  let newest = newestOf(read);
  const isThere = ({ resume }: ResumeEntry): boolean =>
    newest !== null && !isBeyond(resumePositionOf(resume.after[type]!)!, newest);
  if (entries.every(isThere)) return newest;
  for (const other of resumeTypes.filter((one) => one !== type)) {
    const there = newestOf(await readBack(log, other, partition, { partition, ...END }));
    if (there && (newest === null || isBeyond(there, newest))) newest = there;
  }
  return newest;
}
