import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Db } from "mongodb";
import { print, runCommand } from "../../../adapters/run-command.ts";
import { readSettings } from "../../../config/settings.ts";
import { mongoDatabase } from "../../../lambda/shared/mongo.ts";
import { readRuns } from "../../../lambda/shared/runs.ts";
import { LIVE, parseBackfillArguments } from "./arguments.ts";
import { dropRun, switchReaders } from "./collections.ts";
import { RunFolder } from "./run-folder.ts";
import { report, runBackfill, STORE_LIMIT_MS } from "./run.ts";

async function main(args: readonly string[]): Promise<void> {
  const command = parseBackfillArguments(args, Date.now());
  if (command.name === "run") return runBackfill(command, process.env);
  if (command.name === "list") return list(command.out);
  const { run } = command;
  if (command.name === "switch") {
    const entry = await withStore((db) => switchReaders(db, run === LIVE ? null : run));
    report(
      entry === null
        ? "readers see the live collections in a few seconds"
        : `readers see ${run} in a few seconds; the comparison counted ${JSON.stringify(entry.compared)}`,
    );
    return;
  }
  await withStore((db) => dropRun(db, run));
  await RunFolder.remove(join(command.out, run));
  report(`${run} is gone`);
}

/** Prints a line of JSON for each run, sorted by their names. */
async function list(out: string): Promise<void> {
  const { read, runs = {} } = await withStore(readRuns);
  const folders = await readdir(out).catch(() => []);
  for (const run of [...new Set([...folders, ...Object.keys(runs)])].toSorted()) {
    const about = await RunFolder.about(join(out, run));
    const entry = runs[run];
    if (about === null && entry === undefined) continue;
    const folder = about && { complete: about["complete"] === true, compared: about["compared"] ?? null };
    const collections = entry && { ...entry, isFilled: entry.compared !== undefined };
    await print(`${JSON.stringify({ run, isRead: run === read, folder, collections: collections ?? null })}\n`);
  }
}

/** Lends the database once. */
async function withStore<T>(use: (db: Db) => Promise<T>): Promise<T> {
  return mongoDatabase(
    readSettings("store", process.env),
    STORE_LIMIT_MS,
  )(async (db) => {
    try {
      return await use(db);
    } finally {
      await db.client.close();
    }
  });
}

await runCommand(main);
