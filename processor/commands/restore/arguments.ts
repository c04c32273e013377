import { connectionOptions, parseCommandLine, text, whole } from "../../../adapters/command-line.ts";
import { DAY } from "../../../domain/time.ts";

const USAGE = `npm run restore -- --from-lake DIR [--days N] [--brokers HOST:PORT,…] [--dynamodb URL]
Rebuilds from the lake what was lost with Kafka and the stores, for the log that continues the lost one. See
docs/restore.md. The processor's environment variables apply: LOG_GENERATION is that of the new log, PIPELINE says
which pipeline. Before it: create the topics, and start neither bridge nor processors.
  --from-lake DIR  folder of a lake, or the tables in S3 (s3://BUCKET/tables), which are copied to a temporary folder
  --days N         outputs of the last N days are written again, for the stores (90)
Processors and bridge may be started when it has ended. If it ends with an error, run it again before you start them.`;

/** As long as the stores keep sessions. */
const DEFAULT_DAYS = 90;
const MAX_DAYS = 36_500;

export interface RestoreArguments {
  readonly dir: string;
  readonly outputsMs: number;
  readonly brokers: string | undefined;
  readonly dynamodb: string | undefined;
}

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseRestoreArguments(args: readonly string[]): RestoreArguments {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { "from-lake": text, days: whole(0, MAX_DAYS), ...connectionOptions },
    required: ["from-lake"],
  });
  const { "from-lake": dir, days = DEFAULT_DAYS, brokers, dynamodb } = values;
  return { dir, outputsMs: days * DAY, brokers, dynamodb };
}
