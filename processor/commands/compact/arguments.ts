import { parseCommandLine, text, whole } from "../../../adapters/command-line.ts";

const USAGE = `npm run compact -- --lake s3://BUCKET/tables [--days N]
Joins the small files of each hour of a lake in S3. On AWS a schedule runs it each hour: docs/lake.md.
A lake on this machine needs it not: the Firehose endpoint of npm start joins its files.
  --lake s3://…  the lake's tables
  --days N       days that are looked at, today among them (2)`;

const DAYS = 2;

export interface CompactArguments {
  /** `s3://…`. */
  readonly lake: string;
  readonly days: number;
}

/** @throws MillraceError `arguments-invalid` that lists every problem. */
export function parseCompactArguments(args: readonly string[]): CompactArguments {
  const { values } = parseCommandLine(args, {
    usage: USAGE,
    options: { lake: text, days: whole(1, 36_500) },
    required: ["lake"],
    check: ({ lake }) =>
      lake === undefined || lake.startsWith("s3://") ? [] : [`--lake is ${JSON.stringify(lake)}; s3://… is expected`],
  });
  return { lake: values.lake, days: values.days ?? DAYS };
}
