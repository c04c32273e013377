import type { LiveMessage } from "../domain/live-messages.ts";

/** What the header counts of a message: readings or trades, windows or bars, and its latency in ms. */
export interface Counted {
  readonly items: number;
  readonly windows: number;
  readonly latency: number | null;
}

/** One view of the page, in the `main` of its name: `<main id="market-view">`. */
export interface View {
  /** Component of `GET /health` that it is about; its lag is in the header. */
  readonly component: string;
  /** Where its data come from, and so what is lost when they can't be read: the API, or `npm start`. */
  readonly source: "api" | "status";
  /**
   * Shows what an address names, `#/<view>/<name>?<query>`. Called for each address of the view.
   *
   * @param name Decoded; empty for none.
   */
  show(name: string, query: URLSearchParams): void;
  /** Another view is shown from here on. */
  hide?(): void;
  /** Reads what it shows, again and again while it is shown. A failure is shown as a loss of the API. */
  refresh?(): Promise<void>;
  /** Fills what was missed: the live feed was away. */
  reload?(): Promise<void>;
  message?(message: LiveMessage): Counted | null;
  /** @param now On the page's clock, in ms. */
  frame?(now: number): void;
}
