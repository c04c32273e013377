/** Asks before something is done, does it, and says what has failed. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";

interface ConfirmProps {
  readonly title: string;
  /** What happens when it is done. */
  readonly question: string;
  /** Does it; called again for another attempt, which repeats the same change. */
  readonly apply: () => Promise<void>;
  /** It is done, or shall not be done. */
  readonly onClose: () => void;
}

export function Confirm({ title, question, apply, onClose }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const attempt = async (): Promise<void> => {
    setBusy(true);
    setProblem("");
    try {
      await apply();
      dialog.current?.close();
      onClose();
    } catch (error) {
      setProblem(`${(error as Error).message}.`);
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} class="confirm" aria-labelledby="confirm-title" onCancel={onClose}>
      <h2 id="confirm-title">{title}</h2>
      <p>{question}</p>
      <p class="bad" role="alert">
        {problem}
      </p>
      <div class="choose">
        <button type="button" class="plain" disabled={isBusy} onClick={onClose}>
          Cancel
        </button>
        <button type="button" disabled={isBusy} onClick={() => void attempt()}>
          {problem === "" ? title : "Try again"}
        </button>
      </div>
    </dialog>
  );
}
