import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { print, runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { tables } from "../../../domain/tables.ts";
import { withLake } from "../../adapters/lake-copy.ts";
import { parseTraceArguments } from "./arguments.ts";
import { tellFromLake } from "./tell-from-lake.ts";
import { tellFromLog } from "./tell-from-log.ts";
import { storyText } from "./text.ts";

const ALL_TABLES = Object.values(tables).map(({ name }) => name);

async function main(args: readonly string[]): Promise<void> {
  const { wanted, times, lakeDir, json, brokers } = parseTraceArguments(args);
  const settings = readSettings("dump", withConnectionOptions(process.env, { brokers }));
  const story =
    lakeDir === undefined
      ? await tellFromLog(settings, wanted, times)
      : await withLake({ lake: lakeDir, tables: ALL_TABLES, region: settings.region, report: console.error }, (dir) =>
          tellFromLake(dir, settings.logGeneration, wanted, times),
        );
  await print(json ? `${JSON.stringify(story)}\n` : storyText(story));
}

await runCommand(main);
