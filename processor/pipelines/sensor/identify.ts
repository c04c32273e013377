import type { SequencedMessage } from "../../operators/sequenced-message.ts";

/** The field that holds the key in every record of the sensor pipeline. */
export const KEY_FIELD = "sensorId";

/** The fields of a record that say which message it is about. */
export function identify({ key, seq, boot }: SequencedMessage): { sensorId: string; seq: number; boot?: string } {
  return { sensorId: key, seq, ...(boot === null ? {} : { boot }) };
}
