import {
  ALL_SENSORS,
  isBeyond,
  resumePositionOf,
  resumeTypes,
  type Resume,
  type ResumePosition,
  type ResumeType,
} from "../domain/resume.ts";
import type { LiveRecord } from "./messages.ts";
import type { ConnectionItem } from "./subscriptions.ts";

/** What a connection gets of a type meanwhile. `waiting`: nothing. Otherwise what is beyond this id. */
type State = "waiting" | ResumePosition;

/** What a connection has asked for, of one partition. */
export interface ResumeEntry {
  readonly connectionId: string;
  readonly resume: Resume;
  /** As the table of connections has it. */
  readonly text: string;
  /** By type; a type that takes whatever comes is not in it. */
  readonly states: Map<ResumeType, State>;
  /** Records that were sent again. */
  readonly sent: Partial<Record<ResumeType, number>>;
  /** Whether the connection has been sent all that it asked for. */
  isDone: boolean;
}

/**
 * What connections ask to be sent again, and what they may get until then.
 *
 * Records of the types that a connection resumes are kept from it until it has been sent what it missed: it is sent
 * these, too, from the log. So nothing waits in memory, and nothing comes before what is older. From then on it gets
 * what is beyond the last record that it was sent.
 */
export class Resumes {
  /** By their text, which no other has. */
  readonly #entries = new Map<string, ResumeEntry>();
  #byConnection = new Map<string, ResumeEntry[]>();

  /** Takes over what the table of connections says. Returns what it still lists and connections have been sent. */
  update(items: readonly ConnectionItem[]): ResumeEntry[] {
    if (this.#entries.size === 0 && items.every(({ resumes }) => resumes.size === 0)) return [];
    const connections = new Map(items.map((item) => [item.connectionId, item]));
    for (const { connectionId, resumes } of items)
      for (const text of resumes) if (!this.#entries.has(text)) this.#entries.set(text, entryOf(connectionId, text));
    const newest = new Map([...this.#entries].map(([text, entry]) => [subjectOf(entry), text]));
    for (const [text, entry] of this.#entries) {
      const item = connections.get(entry.connectionId);
      if (item && !item.sensors.has(entry.resume.sensorId)) finish(entry);
      const isOver = entry.states.size === 0 || !entry.isDone || newest.get(subjectOf(entry)) !== text;
      if (!item || (isOver && !item.resumes.has(text))) this.#entries.delete(text);
    }
    this.#byConnection = Map.groupBy(this.#entries.values(), ({ connectionId }) => connectionId);
    return [...this.#entries.values()].filter(
      ({ connectionId, text, isDone }) => isDone && connections.get(connectionId)?.resumes.has(text),
    );
  }

  /** Those that are to be sent something. */
  get waiting(): ResumeEntry[] {
    return [...this.#entries.values()].filter(({ isDone }) => !isDone);
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** Whether a connection that has subscribed to a record's sensor gets it as it comes. */
  admits(connectionId: string, { type, data }: LiveRecord): boolean {
    const entries = this.#byConnection.get(connectionId);
    if (!entries || !isResumable(type) || !("sensorId" in data)) return true;
    const position = resumePositionOf(data.id);
    return entries.every(
      ({ resume, states }) =>
        position?.partition !== resume.partition || !isOf(resume, data.sensorId) || isAdmitted(states, type, position),
    );
  }
}

/** What a connection asks for again with a later request. */
function subjectOf({ connectionId, resume: { sensorId, partition } }: ResumeEntry): string {
  return `${connectionId} ${sensorId} ${partition}`;
}

/** Whether a sensor is what a connection resumes. */
export function isOf({ sensorId }: Resume, ofRecord: string): boolean {
  return sensorId === ofRecord || sensorId === ALL_SENSORS;
}

function isResumable(type: string): type is ResumeType {
  return (resumeTypes as readonly string[]).includes(type);
}

function isAdmitted(states: Map<ResumeType, State>, type: ResumeType, position: ResumePosition): boolean {
  const state = states.get(type);
  if (state === undefined) return true;
  if (state === "waiting" || !isBeyond(position, state)) return false;
  // What comes behind it may repeat only what has come through here.
  states.delete(type);
  return true;
}

function entryOf(connectionId: string, text: string): ResumeEntry {
  const resume = JSON.parse(text) as Resume;
  const types = Object.keys(resume.after) as ResumeType[];
  return {
    connectionId,
    resume,
    text,
    states: new Map(types.map((type) => [type, "waiting"])),
    sent: {},
    isDone: false,
  };
}

/** The connection has unsubscribed. */
function finish(entry: ResumeEntry): void {
  entry.isDone = true;
  entry.states.clear();
}
