import { parseCommandLine, text, whole } from "../../../adapters/command-line.ts";
import type { DumpRange } from "./dump-topic.ts";

const USAGE = `npm run dump -- --topic TOPIC [--partition N] [--from OFFSET] [--to OFFSET] [--brokers HOST:PORT,…]
Writes a topic's records as NDJSON, one Kafka record a line in offset order per partition,
as \`npm run replay\` reads it.
It writes committed records only, up to the end that each partition has at the start.
--from is inclusive, --to is exclusive.`;

export interface DumpArguments {
  readonly topic: string;
  readonly brokers: string | undefined;
  readonly range: DumpRange;
}

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseDumpArguments(args: readonly string[]): DumpArguments {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { topic: text, partition: whole(), from: whole(), to: whole(), brokers: text },
    required: ["topic"],
  });
  const { topic, brokers, partition, from = 0, to = Infinity } = values;
  return { topic, brokers, range: { partition, from, to } };
}
