import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { print, runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { parseTraceArguments } from "./arguments.ts";
import type { tellFromLake } from "./tell-from-lake.ts";
import { tellFromLog } from "./tell-from-log.ts";
import { storyText } from "./text.ts";

async function main(args: readonly string[]): Promise<void> {
  const { wanted, times, lakeDir, json, brokers } = parseTraceArguments(args);
  const settings = readSettings("dump", withConnectionOptions(process.env, { brokers }));
  const story =
    lakeDir === undefined
      ? await tellFromLog(settings, wanted, times)
      : await (
          await lakeTeller()
        )(lakeDir, settings.logGeneration, wanted, times);
  await print(json ? `${JSON.stringify(story)}\n` : storyText(story));
}

/**
 * What reads a lake, which is not in the processor's image: DuckDB is large, and a task has no lake's folder.
 *
 * @throws MillraceError `arguments-invalid` in that image
 */
async function lakeTeller(): Promise<typeof tellFromLake> {
  try {
    const module = (await import(new URL("tell-from-lake.ts", import.meta.url).href)) as {
      readonly tellFromLake: typeof tellFromLake;
    };
    return module.tellFromLake;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new MillraceError(
      "arguments-invalid",
      "--from-lake does not run on AWS. Copy the days that you need from the lake's bucket and give the command on " +
        "your machine, or ask Athena: its named query story-of-a-record has one record and what its step gave",
      { cause },
    );
  }
}

await runCommand(main);
