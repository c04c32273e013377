/** What the WebSocket delivers. */

import type { ListedDeadLetter } from "../domain/api.ts";
import type {
  AlertRecord,
  BarRecord,
  EnrichedRecord,
  InferenceRecord,
  SessionRecord,
  WindowRecord,
} from "../domain/records.ts";

/** Readings as columns, each as long as `t` (epoch ms, not decreasing). */
export type Samples = {
  readonly sensorId: string;
  readonly id: string;
  readonly part?: number;
  readonly t: readonly number[];
} & Partial<Readonly<Record<Channel, readonly number[]>>>;
export type Channel = "ax" | "ay" | "az" | "gx" | "gy" | "gz" | "accMag" | "gyroMag";

/** A message of a sensor that was refused. */
export type Rejection = Pick<ListedDeadLetter, "id" | "at" | "code" | "message" | "stage"> & {
  readonly sensorId: string;
  readonly seq: number | null;
  readonly boot: string | null;
};

/** A message about a sensor. */
export type SensorMessage =
  | { readonly type: "samples"; readonly data: Samples }
  | { readonly type: "window"; readonly data: WindowRecord }
  | { readonly type: "session"; readonly data: SessionRecord }
  | { readonly type: "inference"; readonly data: InferenceRecord }
  | { readonly type: "rejected"; readonly data: Rejection }
  | { readonly type: "omitted"; readonly data: { readonly sensorId: string } }
  | { readonly type: "dropped"; readonly data: { readonly sensorId: string; readonly samples: number } };

/** A message about a symbol of the market. */
export type MarketMessage =
  | { readonly type: "trade"; readonly data: EnrichedRecord }
  | { readonly type: "bar"; readonly data: BarRecord }
  | { readonly type: "alert"; readonly data: AlertRecord }
  | { readonly type: "omitted"; readonly data: { readonly symbol: string } }
  | { readonly type: "dropped"; readonly data: { readonly symbol: string; readonly trades: number } };

/** What the WebSocket delivers besides answers to what the page sends. */
export type LiveMessage = SensorMessage | MarketMessage;

export function isOfSensor(message: LiveMessage): message is SensorMessage {
  return "sensorId" in message.data;
}
