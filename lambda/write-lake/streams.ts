import { MillraceError } from "../../domain/errors.ts";

/**
 * Reads how many delivery streams each table has: `raw=4,aggregated=2`. A table that is not named has one.
 *
 * @throws MillraceError `config-invalid` when it has another form
 */
export function readStreams(text = ""): ReadonlyMap<string, number> {
  const entries = text === "" ? [] : text.split(",");
  return new Map(
    entries.map((entry) => {
      const [, table, count] = /^([a-z_]+)=([1-9]\d?)$/.exec(entry) ?? [];
      if (table === undefined)
        throw new MillraceError("config-invalid", `LAKE_STREAMS: ${JSON.stringify(entry)} is not like raw=4`);
      return [table, Number(count)];
    }),
  );
}

/** The stream that takes a record's rows, from 1 on: neighbours in a partition and across them go to different ones. */
export function streamOf(
  { partition, offset }: { readonly partition: number; readonly offset: number },
  count: number,
): number {
  return ((partition + offset) % count) + 1;
}
