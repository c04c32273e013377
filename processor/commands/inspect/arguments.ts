import {
  connectionOptions,
  flag,
  instant,
  type Option,
  parseCommandLine,
  text,
} from "../../../adapters/command-line.ts";
import type { PipelineName } from "../../../domain/pipelines.ts";
import type { EpochMs } from "../../../domain/time.ts";

const USAGE = `npm run inspect -- --sensor ID | --symbol NAME [--window OPERATOR@START] [OPTION …]
Shows the state that a sensor or a symbol has in its task, and why a window is not out. Reads only: the task's newest
snapshot, and the log behind it.
  --window OPERATOR@START  says why this window is not out, or when it fired: tumbling-1000@2026-01-31T12:00:00Z
  --json                   everything as one line of JSON
  --brokers HOST:PORT,…    Kafka
  --dynamodb URL           where the snapshots are
START is epoch ms or a time such as 2026-01-31T12:00:00Z. The processor's environment variables apply.`;

/** A window, as somebody names it. */
export interface WantedWindow {
  readonly operator: string;
  readonly start: EpochMs;
}

const windowName: Option<WantedWindow> = {
  isFlag: false,
  read: (received) => {
    const at = received.indexOf("@");
    const start = instant.read(received.slice(at + 1));
    return at < 1 || start === undefined ? undefined : { operator: received.slice(0, at), start };
  },
  expected: "an operator and a start are expected, such as tumbling-1000@2026-01-31T12:00:00Z",
};

export interface InspectArguments {
  readonly pipeline: PipelineName;
  /** The sensor or the symbol. */
  readonly key: string;
  readonly window: WantedWindow | undefined;
  readonly json: boolean;
  readonly brokers: string | undefined;
  readonly dynamodb: string | undefined;
}

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseInspectArguments(args: readonly string[]): InspectArguments {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { sensor: text, symbol: text, window: windowName, json: flag, ...connectionOptions },
    check: ({ sensor, symbol }) =>
      (sensor === undefined) === (symbol === undefined) ? ["one of --sensor and --symbol is expected"] : [],
  });
  const { sensor, symbol, window, json = false, brokers, dynamodb } = values;
  return {
    pipeline: sensor === undefined ? "market" : "sensor",
    key: (sensor ?? symbol)!,
    window,
    json,
    brokers,
    dynamodb,
  };
}
