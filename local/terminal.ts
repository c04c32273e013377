/** The part of a stream that `Terminal` uses; `process.stdout` has it. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Time between two status lines in a file or a pipe, where nothing can be overwritten. */
const PLAIN_INTERVAL_MS = 5_000;

/**
 * Prints lines that stay, and below them one live line that the next one overwrites. A file or a pipe gets all lines,
 * but the status only every 5 s.
 */
export class Terminal {
  readonly #out: Output;
  readonly #now: () => number;
  #live = "";
  #lastPlainMs = Number.NEGATIVE_INFINITY;

  constructor(out: Output, now: () => number = () => performance.now()) {
    this.#out = out;
    this.#now = now;
  }

  /** Prints a line that stays. */
  print(text: string): void {
    if (this.#out.isTTY) this.#out.write(`\r\x1b[2K${text}\n${this.#live}`);
    else this.#out.write(`${text}\n`);
  }

  /** Shows the current step, such as a download. The next step overwrites it on a terminal. */
  progress(text: string): void {
    if (this.#out.isTTY) this.#overwrite(text);
    else this.#out.write(`${text}\n`);
  }

  /** Shows the status line. */
  status(text: string): void {
    if (this.#out.isTTY) return this.#overwrite(text);
    if (this.#now() - this.#lastPlainMs < PLAIN_INTERVAL_MS) return;
    this.#lastPlainMs = this.#now();
    this.#out.write(`${text}\n`);
  }

  /** Keeps the live line on the screen and continues below it. */
  keep(): void {
    if (this.#out.isTTY && this.#live) this.#out.write("\n");
    this.#live = "";
  }

  #overwrite(text: string): void {
    const columns = this.#out.columns || 80;
    this.#live = text.length < columns ? text : `${text.slice(0, columns - 2)}…`;
    this.#out.write(`\r\x1b[2K${this.#live}`);
  }
}
