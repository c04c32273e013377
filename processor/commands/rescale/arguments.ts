import { connectionOptions, parseCommandLine, whole } from "../../../adapters/command-line.ts";

const USAGE = `npm run rescale -- --partitions N [--brokers HOST:PORT,…] [--dynamodb URL]
Raises the number of partitions of a pipeline's input and of its outputs, and moves each key's state to its new
partition. See docs/rescale.md. The processor's environment variables apply; PIPELINE says which pipeline. Before it:
  1. Stop the bridge: the MQTT broker keeps what devices publish (QoS 1).
  2. Wait until the processor's lag is 0.
  3. Stop all processors by SIGTERM: each writes a last snapshot.
After it: start the processors, then the bridge. If it ends with an error, run it again before you start them.`;

/** Partitions that one cluster can reasonably have. */
const MAX_PARTITIONS = 1_000;

export interface RescaleArguments {
  /** Partitions that there will be. */
  readonly count: number;
  readonly brokers: string | undefined;
  readonly dynamodb: string | undefined;
}

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseRescaleArguments(args: readonly string[]): RescaleArguments {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { partitions: whole(1, MAX_PARTITIONS), ...connectionOptions },
    required: ["partitions"],
  });
  return { count: values.partitions, brokers: values.brokers, dynamodb: values.dynamodb };
}
