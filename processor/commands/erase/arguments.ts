import { connectionOptions, flag, parseCommandLine, text, whole } from "../../../adapters/command-line.ts";
import { SENSOR_ID } from "../../../domain/imu.ts";
import { SECOND, type Milliseconds } from "../../../domain/time.ts";

const USAGE = `npm run erase -- --sensor ID --yes [--lake DIR] [--certificate FILE] [--limit S] [--brokers HOST:PORT,…]
                 [--dynamodb URL]
Erases a sensor: its state, its documents, its features and its rows in the lake. There is no way back. Stop its device
first. The processor and the functions must run. See docs/erase.md. The programs' environment variables apply.
  --sensor ID         the sensor
  --yes               says that you mean it
  --lake DIR          folder of the lake, or the tables in S3 (s3://BUCKET/tables); without it the lake is left
  --certificate FILE  where what was removed is written to, as JSON (erased-ID.json; on AWS nowhere); it is printed, too
  --limit S           how long it may wait for processor, functions and lake (300, and twice what Firehose waits)`;

export interface EraseArguments {
  readonly sensorId: string;
  /** A folder, or `s3://…`. */
  readonly lake: string | undefined;
  readonly certificate: string | undefined;
  readonly limitMs: Milliseconds | undefined;
  readonly brokers: string | undefined;
  readonly dynamodb: string | undefined;
}

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseEraseArguments(args: readonly string[]): EraseArguments {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: {
      sensor: {
        isFlag: false,
        read: (received) => (SENSOR_ID.test(received) ? received : undefined),
        expected: "1 to 128 of A-Z a-z 0-9 : _ - are expected",
      },
      yes: flag,
      lake: text,
      certificate: text,
      limit: whole(1, 86_400),
      ...connectionOptions,
    },
    required: ["sensor"],
    check: ({ yes }) => (yes ? [] : ["--yes is missing: what is erased can't be had back"]),
  });
  const { sensor, lake, certificate, limit, brokers, dynamodb } = values;
  const limitMs = limit === undefined ? undefined : limit * SECOND;
  return { sensorId: sensor, lake, certificate, limitMs, brokers, dynamodb };
}
