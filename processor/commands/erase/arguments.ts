import { connectionOptions, flag, parseCommandLine, text, whole } from "../../../adapters/command-line.ts";
import { SENSOR_ID } from "../../../domain/imu.ts";
import { SECOND } from "../../../domain/time.ts";

const USAGE = `npm run erase -- --sensor ID --yes [--lake DIR] [--certificate FILE] [--limit S] [--brokers HOST:PORT,…]
                 [--dynamodb URL]
Erases a sensor: its state, its documents, its features and its rows in the lake. There is no way back. Stop its device
first. The processor and the functions must run. See docs/erase.md. The programs' environment variables apply.
  --sensor ID         the sensor
  --yes               says that you mean it
  --lake DIR          folder of the lake, or a copy of the bucket; without it the lake is left
  --only-lake         erases in --lake alone, once, and waits for nothing: a copy of the bucket, when the rest is done
  --certificate FILE  where what was removed is written to, as JSON (erased-ID.json); it is printed, too
  --limit S           how long it may wait for processor, functions and lake (300)`;

const DEFAULT_LIMIT_S = 300;

export interface EraseArguments {
  readonly sensorId: string;
  readonly lakeDir: string | undefined;
  /** Whether the lake alone is erased from. */
  readonly onlyLake: boolean;
  readonly certificate: string;
  readonly limitMs: number;
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
      "only-lake": flag,
      certificate: text,
      limit: whole(1, 86_400),
      ...connectionOptions,
    },
    required: ["sensor"],
    check: ({ yes, lake, ...given }) => [
      ...(yes ? [] : ["--yes is missing: what is erased can't be had back"]),
      ...(given["only-lake"] && lake === undefined ? ["--only-lake needs --lake DIR"] : []),
    ],
  });
  const { sensor, lake, certificate = `erased-${sensor}.json`, limit = DEFAULT_LIMIT_S, brokers, dynamodb } = values;
  const onlyLake = values["only-lake"] === true;
  return { sensorId: sensor, lakeDir: lake, onlyLake, certificate, limitMs: limit * SECOND, brokers, dynamodb };
}
