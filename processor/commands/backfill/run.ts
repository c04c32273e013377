import { join } from "node:path";
import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { openCluster } from "../../../adapters/kafka-cluster.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { print } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import type { PipelineName } from "../../../domain/pipelines.ts";
import type { TableName } from "../../../domain/tables.ts";
import type { EpochMs } from "../../../domain/time.ts";
import { mongoDatabase } from "../../../lambda/shared/mongo.ts";
import type { Differences } from "../../../lambda/shared/runs.ts";
import { withLake } from "../../adapters/lake-copy.ts";
import { openModels } from "../../adapters/model-store.ts";
import { openPipeline } from "../../adapters/open-pipeline.ts";
import { tablesOfLog } from "../../adapters/raw-lake.ts";
import type { MachineFactory } from "../../runtime/machine.ts";
import type { RunArguments } from "./arguments.ts";
import { RunCollections } from "./collections.ts";
import { compare, tablesOf, type Comparison } from "./compare.ts";
import { compute, type Computed } from "./compute.ts";
import { RunFolder } from "./run-folder.ts";

/** Time until an unreachable store is an error. */
export const STORE_LIMIT_MS = 10_000;
const EXIT_CODE_OF_DIFFERENCES = 3;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Computes a run, compares it, and fills its collections where that is wanted.
 *
 * @throws MillraceError `backfill-refused`; what `replayLake` throws
 */
export async function runBackfill({ fill, ...args }: RunArguments, env: Environment): Promise<void> {
  const settings = readSettings("replay", env);
  const { pipeline = settings.pipeline } = args;
  const { region } = settings;
  await withLake({ lake: args.dir, tables: tablesOfBackfill(pipeline), region, report }, (dir) =>
    runWithLake({ ...args, env, dir, pipeline }, fill),
  );
}

interface Given extends Omit<RunArguments, "fill" | "pipeline"> {
  readonly pipeline: PipelineName;
  readonly env: Environment;
}

async function runWithLake(given: Given, fill: boolean): Promise<void> {
  const now = Date.now();
  const { pipeline, run, env } = given;
  if (!fill) {
    await compareRun(await computeRun(given, now));
    return;
  }
  if (pipeline !== "sensor")
    throw new MillraceError(
      "backfill-refused",
      `--fill is for the pipeline sensor: nobody is switched to a ${pipeline}`,
    );
  const { recentWindowsMs, recentSessionsMs, ...store } = readSettings("store", env);
  const keep = { windowsMs: recentWindowsMs, sessionsMs: recentSessionsMs };
  const runCollections = new RunCollections(mongoDatabase(store, STORE_LIMIT_MS), run, keep, now);
  try {
    const computed = await computeRun(given, now, runCollections);
    const differences = await compareRun(computed);
    await followLive(given, computed, runCollections);
    await runCollections.complete(differences);
    report(`the collections of ${run} are filled: \`backfill -- switch --run ${run}\` lets readers see them`);
  } finally {
    await runCollections.close();
  }
}

/** What a run reads and is compared with. */
function tablesOfBackfill(pipeline: PipelineName): TableName[] {
  return [...new Set([...tablesOfLog(pipeline), ...tablesOf(pipeline)])];
}

/** A run that is computed. */
interface ComputedRun extends Computed {
  readonly given: Given;
  readonly folder: RunFolder;
}

async function computeRun(given: Given, now: EpochMs, runCollections?: RunCollections): Promise<ComputedRun> {
  const { dir, run, pipeline, out, again, partitions, until, override, models, env } = given;
  const { region, logGeneration: generation } = readSettings("replay", env);
  const scoring = openModels(
    { modelSource: models, region },
    { refused: (_model, reason) => report(`model-refused: ${reason}`) },
  );
  const open = (of: number): MachineFactory => openPipeline(pipeline, scoring, { override, generation: of });
  const { log, version, fingerprint } = open(generation);
  RunFolder.check(join(out, run), again);
  await runCollections?.begin({ log, version, fingerprint, begunAt: now }, again);
  const folder = await RunFolder.create(join(out, run), again);
  const computed = await compute(
    {
      ...{ dir, open, generation, partitions, until, now, report },
      ...(runCollections ? { fill: (...of) => runCollections.add(...of) } : {}),
    },
    folder,
  );
  await runCollections?.flush();
  const { records, outputs } = computed;
  await folder.complete({ run, pipeline, log, version, fingerprint, settings: override, partitions, records, outputs });
  report(`${records} records of ${log} computed, outputs in ${folder.dir}: ${JSON.stringify(outputs)}`);
  return { ...computed, given, folder };
}

async function compareRun({ given, folder, log, ranges }: ComputedRun): Promise<Differences> {
  const { dir, run, pipeline, examples } = given;
  const comparison = await compare({ live: dir, run: folder.dir, pipeline, log, ranges, examples });
  await print(`${JSON.stringify({ run, log, partitions: comparison.partitions })}\n`);
  for (const table of comparison.tables) await print(`${JSON.stringify(table)}\n`);
  const differences = judge(comparison);
  await folder.compared(differences);
  return differences;
}

async function followLive(
  { brokers, env }: Given,
  { log, ranges }: Computed,
  runCollections: RunCollections,
): Promise<void> {
  const settings = readSettings("kafkaTools", withConnectionOptions(env, { brokers }));
  const cluster = openCluster(createKafka(settings, "millrace-backfill"));
  try {
    const taken = await runCollections.follow(cluster, log, ranges);
    report(`${taken} live outputs behind the run's were taken from Kafka`);
  } finally {
    await cluster.disconnect();
  }
}

/** @throws MillraceError `backfill-refused` when no row was compared */
function judge({ tables }: Comparison): Differences {
  const total = (name: keyof Differences): number => tables.reduce((sum, table) => sum + table[name], 0);
  const [same, changed, missing, added] = [total("same"), total("changed"), total("missing"), total("added")];
  if (same + changed + missing + added === 0)
    throw new MillraceError(
      "backfill-refused",
      "no output could be compared: the lines above say what was left out. --until says up to when records are " +
        "compared, and the lake must hold the tables of the outputs, too",
    );
  report(`${same} outputs are the same, ${changed} changed, ${missing} missing, ${added} added`);
  if (changed + missing + added > 0) process.exitCode = EXIT_CODE_OF_DIFFERENCES;
  return { same, changed, missing, added };
}

export function report(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}
