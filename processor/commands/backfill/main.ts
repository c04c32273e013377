import { join } from "node:path";
import { print, runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { openModels } from "../../adapters/model-store.ts";
import { openPipeline } from "../../adapters/open-pipeline.ts";
import type { MachineFactory } from "../../runtime/machine.ts";
import { parseBackfillArguments } from "./arguments.ts";
import { compare, type Comparison } from "./compare.ts";
import { compute } from "./compute.ts";
import { RunFolder } from "./run-folder.ts";

const EXIT_CODE_OF_DIFFERENCES = 3;

async function main(args: readonly string[]): Promise<void> {
  const now = Date.now();
  const { dir, run, out, again, partitions, until, examples, override, models, ...given } = parseBackfillArguments(
    args,
    now,
  );
  const { region, logGeneration: generation, ...settings } = readSettings("replay", process.env);
  const pipeline = given.pipeline ?? settings.pipeline;
  const scoring = openModels(
    { modelSource: models, region },
    { refused: (_model, reason) => report(`model-refused: ${reason}`) },
  );
  const open = (of: number): MachineFactory => openPipeline(pipeline, scoring, { override, generation: of });
  const { version, fingerprint } = open(generation);
  const folder = await RunFolder.create(join(out, run), again);
  const { log, records, outputs, ranges } = await compute(
    { dir, open, generation, partitions, until, now, report },
    folder,
  );
  await folder.complete({ run, pipeline, log, version, fingerprint, settings: override, partitions, records, outputs });
  report(`${records} records of ${log} computed, outputs in ${folder.dir}: ${JSON.stringify(outputs)}`);
  const comparison = await compare({ live: dir, run: folder.dir, pipeline, log, ranges, examples });
  await print(`${JSON.stringify({ run, log, partitions: comparison.partitions })}\n`);
  for (const table of comparison.tables) await print(`${JSON.stringify(table)}\n`);
  judge(comparison);
}

/** @throws MillraceError `backfill-refused` when no row was compared */
function judge({ tables }: Comparison): void {
  const total = (name: "same" | "changed" | "missing" | "added"): number =>
    tables.reduce((sum, table) => sum + table[name], 0);
  const differences = total("changed") + total("missing") + total("added");
  if (differences + total("same") === 0)
    throw new MillraceError(
      "backfill-refused",
      "no output could be compared: the lines above say what was left out. --until says up to when records are " +
        "compared, and the lake must hold the tables of the outputs, too",
    );
  report(
    `${total("same")} outputs are the same, ${total("changed")} changed, ${total("missing")} missing, ` +
      `${total("added")} added`,
  );
  if (differences > 0) process.exitCode = EXIT_CODE_OF_DIFFERENCES;
}

function report(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

await runCommand(main);
