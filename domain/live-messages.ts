import type { ListedDeadLetter } from "./api.ts";
import type { MessageNumber } from "./dead-letters.ts";
import type {
  AlertRecord,
  BarRecord,
  EnrichedRecord,
  InferenceRecord,
  SessionRecord,
  WindowRecord,
} from "./records.ts";
import type { ResumeType } from "./resume.ts";
import type { TableName } from "./tables.ts";
import type { EpochMs } from "./time.ts";

// What the WebSocket delivers. A frame is one message or a JSON array of several.

export type Channel = "ax" | "ay" | "az" | "gx" | "gy" | "gz" | "accMag" | "gyroMag";
/** Channels of a transformed message: acceleration without gravity, too. */
type Column = Channel | "lax" | "lay" | "laz";

/** Readings as columns, each as long as `t` (epoch ms, not decreasing). A number that is not finite is null. */
export type SamplesData = {
  readonly sensorId: string;
  readonly id: string;
  readonly seq: number;
  readonly boot?: string;
  /** Of a message that exceeds a frame: which part this is, from 0, and of how many. */
  readonly part?: number;
  readonly parts?: number;
  readonly t: readonly EpochMs[];
} & Partial<Readonly<Record<Column, readonly (number | null)[]>>>;

/** A message of a sensor that was refused: its dead letter without the payload. */
export type Rejected = Pick<ListedDeadLetter, "id" | "at" | "code" | "message" | "stage"> &
  MessageNumber & { readonly sensorId: string };

/** A record that was not sent, as its message would be too large, and where it can be read. */
interface Omitted {
  readonly type: LiveMessage["type"];
  readonly id: string;
  /** Of the message. */
  readonly bytes: number;
  /** Of the REST API; null where it has none. */
  readonly path: string | null;
  /** Of the lake, which has the record under its id; null where it has none. */
  readonly table: TableName | null;
}

/** Why a part of what a client asks for again can't be had from the log. */
export const gapReasons = {
  "too-many": "more records follow the id than are read back, or than are sent at once",
  expired: "the log has let go what followed the id",
  unknown: "the log has not got as far as the id: it is of another log",
  moved: "the sensor is in another partition by now",
  unreadable: "a part of the log can't be decoded",
} as const;
export type GapReason = keyof typeof gapReasons;

/** What a client that resumes does not get again, and where it can read it. */
export interface Gap {
  readonly type: ResumeType;
  readonly reason: GapReason;
  /** The id that the client gave. */
  readonly after: string;
  /** The first id that it gets instead; null where the log has none. */
  readonly before: string | null;
  /** Event time of what is missing, epoch ms; null where it is not known. */
  readonly from: EpochMs | null;
  readonly to: EpochMs | null;
  /** Of the REST API; null where it has none. */
  readonly path: string | null;
  /** Of the lake. */
  readonly table: TableName;
}

/** How many records a client that resumes was sent again. What follows is new. */
export interface Resumed {
  /** Partition of the ids that it gave. */
  readonly partition: number;
  readonly sent: Readonly<Partial<Record<ResumeType, number>>>;
}

interface OfSensor {
  readonly sensorId: string;
}
interface OfSymbol {
  readonly symbol: string;
}

/** A message about a sensor; `gap` and `resumed` may be about `*`. */
export type SensorMessage =
  | { readonly type: "samples"; readonly data: SamplesData }
  | { readonly type: "window"; readonly data: WindowRecord }
  | { readonly type: "session"; readonly data: SessionRecord }
  | { readonly type: "inference"; readonly data: InferenceRecord }
  | { readonly type: "rejected"; readonly data: Rejected }
  | { readonly type: "gap"; readonly data: OfSensor & Gap }
  | { readonly type: "resumed"; readonly data: OfSensor & Resumed }
  | { readonly type: "omitted"; readonly data: OfSensor & Omitted }
  | { readonly type: "dropped"; readonly data: OfSensor & { readonly samples: number } };

/** A message about a symbol. */
export type MarketMessage =
  | { readonly type: "trade"; readonly data: EnrichedRecord }
  | { readonly type: "bar"; readonly data: BarRecord }
  | { readonly type: "alert"; readonly data: AlertRecord }
  | { readonly type: "omitted"; readonly data: OfSymbol & Omitted }
  | { readonly type: "dropped"; readonly data: OfSymbol & { readonly trades: number } };

/** What the WebSocket delivers besides answers to what a client sends. */
export type LiveMessage = SensorMessage | MarketMessage;

export function isOfSensor(message: LiveMessage): message is SensorMessage {
  return "sensorId" in message.data;
}

/** What a client subscribes to. */
export type Subject = OfSensor | { readonly session: string } | OfSymbol;

/** The answer to what a client sends. It comes alone in its frame, and has no `data`. */
export type WebSocketAnswer =
  | { readonly type: "pong" }
  | ({ readonly type: "subscribed" | "unsubscribed" } & Subject)
  | { readonly type: "error"; readonly code: WebSocketErrorCode; readonly message: string };

export type WebSocketErrorCode = "invalid-message" | "too-many-subscriptions" | "too-many-resumes" | "operators-only";
