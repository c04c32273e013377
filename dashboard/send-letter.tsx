/** The button with which an operator sends a dead letter in again, and what became of it. */
import { useState } from "preact/hooks";
import type { DeadLetter } from "./api.ts";
import { Confirm } from "./confirm.tsx";
import { ops, opsAnswer, underKey, type LetterSent } from "./ops.ts";

export function SendLetter({ letter: { id, log, sensorId, symbol } }: { readonly letter: DeadLetter }) {
  /** The key of this attempt and of all that repeat it; null while nothing is asked. */
  const [key, setKey] = useState<string | null>(null);
  const [sent, setSent] = useState<LetterSent | null>(null);
  const apply = async (): Promise<void> => {
    const body = { action: "send-again", id, log } as const;
    setSent(await opsAnswer(ops.POST("/ops/dead-letters", { params: underKey(key!), body })));
  };
  const whose = sensorId ?? symbol;
  const record = whose === null ? "The record" : `The record of ${whose}`;
  return (
    <>
      <p class="actions">
        <button type="button" disabled={sent !== null} onClick={() => setKey(crypto.randomUUID())}>
          Send again
        </button>
        <span role="status">{sent && `Sent: it is ${sent.topic}/${sent.partition}/${sent.offset} now.`}</span>
      </p>
      {key !== null && (
        <Confirm
          key={key}
          title="Send again"
          question={`${record} is appended once more, as it was. A letter is sent once.`}
          apply={apply}
          onClose={() => setKey(null)}
        />
      )}
    </>
  );
}
