import type { EpochMs } from "../../../domain/time.ts";
import { KeptState } from "../../runtime/kept.ts";

/** What is kept of a symbol for good. */
interface Memory {
  /** Start and close of the newest tumbling bar that has fired with a price; infinite and NaN before it. */
  readonly closeStart: EpochMs;
  readonly close: number;
  /** The newest minute whose ids were let go because the partition kept too many; infinite when none was. */
  readonly letGoUpTo: EpochMs;
}

const NOTHING: Memory = { closeStart: -Infinity, close: NaN, letGoUpTo: -Infinity };

/** Last closes and let-go minutes of a partition's symbols. Beyond `max`, the oldest entry is dropped. */
export class SymbolMemory {
  readonly state = new KeptState<Memory>({
    name: "symbols",
    layout: 1,
    scope: "key",
    encode: ({ closeStart, close, letGoUpTo }, writer) => {
      writer.f64(closeStart);
      writer.f64(close);
      writer.f64(letGoUpTo);
    },
    decode: (reader) => ({ closeStart: reader.f64(), close: reader.f64(), letGoUpTo: reader.f64() }),
  });
  /** The last close of a symbol; NaN for none. */
  close(symbol: string): number {
    return (this.state.get(symbol) ?? NOTHING).close;
  }

  letGoUpTo(symbol: string): EpochMs {
    return (this.state.get(symbol) ?? NOTHING).letGoUpTo;
  }

  /** A tumbling bar has fired with this close. */
  fired(symbol: string, start: EpochMs, close: number, max: number): void {
    const memory = this.state.get(symbol) ?? NOTHING;
    if (start < memory.closeStart) return;
    this.#set(symbol, { ...memory, closeStart: start, close }, max);
  }

  letGo(symbol: string, minute: EpochMs, max: number): void {
    this.#set(symbol, { ...(this.state.get(symbol) ?? NOTHING), letGoUpTo: minute }, max);
  }

  #set(symbol: string, memory: Memory, max: number): void {
    this.state.set(symbol, memory);
    while (this.state.size > max) {
      const [[oldest] = [""]] = this.state.entries();
      this.state.delete(oldest);
    }
  }
}
