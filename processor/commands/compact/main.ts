import { runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { s3Place } from "../../adapters/lake-place.ts";
import { parseCompactArguments } from "./arguments.ts";
import { compactLake } from "./compact.ts";

async function main(args: readonly string[]): Promise<void> {
  const { lake, days } = parseCompactArguments(args);
  const { region } = readSettings("dump", process.env);
  console.log(JSON.stringify(await compactLake(s3Place(lake, region)!, { days, now: Date.now })));
}

await runCommand(main);
