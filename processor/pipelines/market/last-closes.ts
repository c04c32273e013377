import type { EpochMs } from "../../../domain/time.ts";
import { KeptState } from "../../runtime/kept.ts";

/** The newest tumbling bar of a symbol that has fired with a price. */
interface Close {
  readonly start: EpochMs;
  readonly price: number;
}

/** The last closes of a partition's symbols, kept for good. Beyond a bound, the oldest one is dropped. */
export class LastCloses {
  readonly state = new KeptState<Close>({
    name: "closes",
    layout: 1,
    scope: "key",
    encode: ({ start, price }, writer) => {
      writer.f64(start);
      writer.f64(price);
    },
    decode: (reader) => ({ start: reader.f64(), price: reader.f64() }),
  });

  /** The last close of a symbol; NaN for none. */
  of(symbol: string): number {
    return this.state.get(symbol)?.price ?? NaN;
  }

  /** A tumbling bar has fired with this close. At most `max` symbols are kept. */
  fired(symbol: string, start: EpochMs, price: number, max: number): void {
    const last = this.state.get(symbol);
    if (last && start < last.start) return;
    this.state.set(symbol, { start, price });
    while (this.state.size > max) {
      const [[oldest] = [""]] = this.state.entries();
      this.state.delete(oldest);
    }
  }
}
