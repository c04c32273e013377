import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MINUTE } from "../domain/time.ts";
import { distribution, percentile, type Distribution } from "./distribution.ts";
import { NpmStart } from "./npm-start.ts";
import { timesOf } from "./requests.ts";
import type { Scenario } from "./scenario.ts";
import { shares, sumShares, usages, type ProcessShare } from "./usage.ts";

const DEFAULT_MINUTES = 60;
/** Minutes between two looks. */
const LOOK_EVERY = 5;
/** Requests for each route at a look, one after the other. */
const REQUESTS = 50;
const MB = 2 ** 20;

/** `npm start` after some minutes. */
export interface Look {
  readonly minute: number;
  /** Servers, programs and `npm start` itself, since the look before. */
  readonly processes: readonly ProcessShare[];
  /** Files and their size by folder of the data. */
  readonly folders: Readonly<Record<string, FolderSize>>;
  /** Medians of what the status lines showed since the look before, ms. */
  readonly publishToSamples: Distribution;
  readonly routes: Readonly<Record<string, Distribution>>;
  readonly restarts: number;
}

export interface FolderSize {
  readonly files: number;
  readonly mb: number;
}

/** What does not stay flat when `npm start` is left alone: memory, files, latencies. */
export const hour: Scenario = {
  about: "npm start at its default load for --minutes: memory, files, latencies and routes every five minutes",
  onlyByName: true,
  run: async (bench) => {
    const { minutes = DEFAULT_MINUTES } = bench.options;
    const home = bench.folder("hour");
    const started = await NpmStart.run(bench.path(), home, []);
    const looks: Look[] = [];
    try {
      const startedAt = performance.now();
      let [at, before, seen] = [startedAt, usages(started.pids()), 0];
      for (let minute = LOOK_EVERY; minute <= minutes; minute += LOOK_EVERY) {
        await sleep(Math.max(0, startedAt + minute * MINUTE - performance.now()));
        const now = usages(started.pids());
        const lines = started.status.slice(seen);
        const look: Look = {
          minute,
          processes: shares(before, now, (performance.now() - at) / 1_000),
          folders: foldersOf(join(home, "data")),
          publishToSamples: { p50: median(lines.map(({ p50 }) => p50)), p99: median(lines.map(({ p99 }) => p99)) },
          routes: await askRoutes(started.api),
          restarts: lines.at(-1)?.restarts ?? NaN,
        };
        [at, before, seen] = [performance.now(), usages(started.pids()), started.status.length];
        looks.push(look);
        bench.print(showLook(look));
      }
      bench.report("hour", looks, `${minutes} minutes`);
    } finally {
      await started.stop();
      rmSync(home, { recursive: true, force: true });
    }
  },
};

function median(values: readonly number[]): number {
  return percentile(
    values.filter((value) => !Number.isNaN(value)),
    0.5,
  );
}

/** Files and their size in each folder of a folder. */
export function foldersOf(folder: string): Record<string, FolderSize> {
  return Object.fromEntries(
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }): [string, FolderSize] => {
        const files = readdirSync(join(folder, name), { withFileTypes: true, recursive: true }).filter((entry) =>
          entry.isFile(),
        );
        const bytes = files.map((file) => {
          // What a server has just deleted has no size.
          return statSync(join(file.parentPath, file.name), { throwIfNoEntry: false })?.size ?? 0;
        });
        return [name, { files: files.length, mb: bytes.reduce((sum, size) => sum + size, 0) / MB }];
      }),
  );
}

/** How long the routes take that a page asks for, one request after the other. An error counts as infinite. */
async function askRoutes(api: string): Promise<Record<string, Distribution>> {
  const { items } = (await (await fetch(`${api}/sensors?limit=1`)).json()) as { items: { sensorId: string }[] };
  const sensor = items[0]?.sensorId ?? "none";
  const paths = ["/health", "/sensors", `/sensors/${sensor}/windows`, "/sessions", `/sessions?sensorId=${sensor}`];
  const found: Record<string, Distribution> = {};
  for (const path of paths) {
    found[path.replace(sensor, "{id}")] = distribution(await timesOf(api + path, REQUESTS));
  }
  return found;
}

function showLook({ minute, processes, folders, publishToSamples, routes, restarts }: Look): string {
  const { cores, rssMb } = sumShares(processes);
  const ms = ({ p50, p99 }: Distribution): string => `${p50.toFixed(0)}/${p99.toFixed(0)} ms`;
  return [
    `minute ${minute}: ${(cores * 100).toFixed(0)} % of a core, ${rssMb.toFixed(0)} MB, publish to samples ` +
      `${ms(publishToSamples)} (p50/p99), restarts ${restarts}`,
    `  memory  ${processes.map(({ name, rssMb: own }) => `${name} ${own.toFixed(0)}`).join(", ")}`,
    `  files   ${Object.entries(folders)
      .map(([name, { files, mb }]) => `${name} ${files} (${mb.toFixed(0)} MB)`)
      .join(", ")}`,
    `  routes  ${Object.entries(routes)
      .map(([path, taken]) => `${path} ${ms(taken)}`)
      .join(", ")}`,
  ].join("\n");
}
