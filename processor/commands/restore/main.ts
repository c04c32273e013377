import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { withLake } from "../../adapters/lake-copy.ts";
import { tablesOfLog } from "../../adapters/raw-lake.ts";
import { parseRestoreArguments } from "./arguments.ts";
import { restore } from "./restore.ts";
import { restoreTarget } from "./target.ts";

async function main(args: readonly string[]): Promise<void> {
  const { dir, outputsMs, ...connection } = parseRestoreArguments(args);
  const settings = readSettings("processor", withConnectionOptions(process.env, connection));
  const { pipeline, region } = settings;
  const outputsFrom = Date.now() - outputsMs;
  const { log, before, records, outputs, keys } = await withLake(
    { lake: dir, tables: tablesOfLog(pipeline), region, report: console.error },
    (lakeDir) => restore(restoreTarget(settings, { dir: lakeDir, outputsFrom, report: console.error })),
  );
  console.log(
    `${log} continues ${before}: ${records} records of the lake replayed, ${outputs} outputs written again, ` +
      `state of ${keys} keys in place. Start the processors, then the bridge.`,
  );
}

await runCommand(main);
