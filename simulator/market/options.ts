import { flag, parseCommandLine, text, whole, type Option } from "../../adapters/command-line.ts";
import { SECOND, type Milliseconds } from "../../domain/time.ts";
import { marketLimits } from "../synthetic/trades.ts";
import { noMarketFaults, type MarketFaults } from "./faults.ts";

/** The options of `npm run simulate -- --market`. */
export interface MarketOptions {
  readonly symbols: number;
  /** Trades a second, of all symbols together. */
  readonly rate: number;
  /**
   * CSV file of recorded trades.
   *
   * @default synthetic trades
   */
  readonly recording: string | undefined;
  /** How much faster than their timestamps recorded trades are put. */
  readonly speed: number;
  readonly faults: MarketFaults;
  readonly seed: number;
  /** @default no end; a minute with `once` */
  readonly durationMs: Milliseconds | undefined;
  /** Whether the trades of the time before the start are put as fast as the bus takes them, and nothing else. */
  readonly once: boolean;
  readonly endpoint: string | undefined;
  readonly reportFile: string | undefined;
}

/** Output of `npm run simulate -- --market --help`. */
export const marketHelp = `npm run simulate -- --market [options]: trades that are put as EventBridge events

  --symbols N        number of symbols (20)
  --rate R           trades per second, of all symbols together (50)
  --data FILE        put recorded trades instead, as they are, once: CSV with any of the columns trade_id, timestamp,
                     symbol, price, quantity, amount, currency, side, account, status; an empty cell is absent
  --speed X          recorded trades X times faster than their timestamps (1)
  --faults LIST      probability per trade: duplicate=0.01,late=0.01,corrupt=0.001,cancelled=0.01,conflict=0.001
  --seed N           the same seed makes the same trades, but for ids and times (1)
  --once             put the trades of the minute (or of --duration S) before the start as fast as the bus takes them,
                     and end when all are acknowledged; with --data those of the file
  --duration S       end after S seconds
  --endpoint URL     of EventBridge (EVENTS_ENDPOINT, http://127.0.0.1:8002)
  --report FILE      write what was acknowledged at the end, as JSON: by symbol and kind
  --help             show this text`;

/** A number from `min` to `max`, both inclusive. */
function number(min: number, max: number): Option<number> {
  return {
    isFlag: false,
    read: (received) => {
      const value = received.trim() === "" ? NaN : Number(received);
      return value >= min && value <= max ? value : undefined;
    },
    expected: `a number from ${min} to ${max} is expected`,
  };
}

const url: Option<string> = {
  isFlag: false,
  read: (received) => (URL.canParse(received) ? received : undefined),
  expected: "a URL is expected",
};

const faults: Option<MarketFaults> = {
  isFlag: false,
  read: (received) => {
    const found: Record<string, number> = { ...noMarketFaults };
    for (const part of received.split(",")) {
      const [name = "", value = ""] = part.split("=");
      const probability = value.trim() === "" ? NaN : Number(value);
      if (!Object.hasOwn(noMarketFaults, name) || !(probability >= 0 && probability <= 1)) return undefined;
      found[name] = probability;
    }
    return found as unknown as MarketFaults;
  },
  expected: `NAME=PROBABILITY is expected, of ${Object.keys(noMarketFaults).join(", ")}, with numbers from 0 to 1`,
};

/**
 * Parses the command line of `npm run simulate -- --market`.
 *
 * @throws MillraceError `arguments-invalid` that lists every problem
 * @throws HelpRequested
 */
export function parseMarketOptions(args: readonly string[]): MarketOptions {
  const { values } = parseCommandLine(args, {
    usage: marketHelp,
    options: {
      market: flag,
      symbols: whole(1, marketLimits.symbols),
      rate: number(0.01, marketLimits.rate),
      data: text,
      speed: number(0.01, 1_000_000),
      faults,
      seed: whole(),
      once: flag,
      duration: number(0.001, 1e9),
      endpoint: url,
      report: text,
    },
    check: ({ data, symbols, rate, speed }) => [
      ...(data !== undefined && (symbols !== undefined || rate !== undefined)
        ? ["--data has its own symbols and rate: leave out --symbols and --rate"]
        : []),
      ...(data === undefined && speed !== undefined ? ["--speed is for recorded trades: give --data, or --rate"] : []),
    ],
  });
  return {
    symbols: values.symbols ?? 20,
    rate: values.rate ?? 50,
    recording: values.data,
    speed: values.speed ?? 1,
    faults: values.faults ?? noMarketFaults,
    seed: values.seed ?? 1,
    durationMs: values.duration === undefined ? undefined : values.duration * SECOND,
    once: values.once === true,
    endpoint: values.endpoint,
    reportFile: values.report,
  };
}
