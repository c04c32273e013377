import { Message } from "../runtime/message.ts";

/** A message whose source counts its messages: (key, boot, seq) is its identity. */
export class SequencedMessage extends Message {
  /** Counts the source's messages since its boot. */
  seq = 0;
  /** Changes when the source restarts; null when it gave none. */
  boot: string | null = null;
}
