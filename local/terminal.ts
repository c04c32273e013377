/** The part of a stream that is used; `process.stderr` is one. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** A line every so often where nothing can be overwritten: a file, a pipe. */
const PLAIN_INTERVAL_MS = 5_000;

/**
 * Prints lines that stay, and below them one line that is overwritten; on what is no terminal, that line comes every 5
 * s.
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

  /** A line that stays. */
  print(text: string): void {
    if (this.#out.isTTY) this.#out.write(`\r\x1b[2K${text}\n${this.#live}`);
    else this.#out.write(`${text}\n`);
  }

  /** What goes on now, such as a download: on a terminal it is overwritten by the next, elsewhere it is printed. */
  progress(text: string): void {
    if (this.#out.isTTY) this.#overwrite(text);
    else this.#out.write(`${text}\n`);
  }

  /** The line of figures. */
  status(text: string): void {
    if (this.#out.isTTY) return this.#overwrite(text);
    if (this.#now() - this.#lastPlainMs < PLAIN_INTERVAL_MS) return;
    this.#lastPlainMs = this.#now();
    this.#out.write(`${text}\n`);
  }

  /** Leaves what was overwritten last, and goes on below it. */
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
