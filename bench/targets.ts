import { ratioOf, type Ratio } from "./distribution.ts";
import { measure, measureInference, measureState } from "./engine-scenarios.ts";
import type { LargeState, Throughput } from "./engine.ts";
import { type BesideFlink, measureFlink } from "./flink.ts";
import { measurePlatforms } from "./platform.ts";
import { measureRecovery } from "./recovery.ts";
import type { Bench, Scenario } from "./scenario.ts";
import { measureStore } from "./store.ts";
import { notMeasured, showTargets, target, type Target } from "./target.ts";
import { DEFAULT_ROUNDS } from "./turns.ts";

/** Every target of a machine of two cores. */
export const targets: Scenario = {
  about: "the whole table of targets, each met or not: about 40 minutes; --flink for the row beside Flink",
  onlyByName: true,
  run: async (bench) => {
    const rows = [
      ...flinkTargets(await measureFlink(bench)),
      ...ratioTargets(await measureInTurns(bench)),
      target("scoring 1,000 sensors at 200 Hz", await measureInference(bench), "at most", 0.3, cores),
      ...(await measureRecovery(bench)),
      stateTarget(await measureState(bench)),
      ...(await measurePlatforms(bench)),
      ...(await measureStore(bench)),
    ];
    bench.report("targets", rows, `${rows.filter(({ met }) => met).length} of ${rows.length} are met`);
    bench.print(showTargets(rows));
  },
};

const cores = (value: number): string => `${value.toFixed(2)} cores`;
const times = (value: number): string => `${value.toFixed(2)} ×`;
const megabytes = (value: number): string => `${value.toFixed(0)} MB`;

/** One round of the jobs whose rates are compared. */
export interface Round {
  readonly windows: Throughput;
  readonly packed: Throughput;
  readonly all: Throughput;
}

/** The three jobs one after the other, several times: the machine's speed changes within minutes. */
async function measureInTurns(bench: Bench): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let round = 1; round <= (bench.options.rounds ?? DEFAULT_ROUNDS); round++)
    rounds.push({
      windows: await measure(bench, `windows, round ${round}`, {}, "windows"),
      packed: await measure(bench, `packed, round ${round}`, { format: "packed" }, "windows"),
      all: await measure(bench, `all, round ${round}`, {}, "all"),
    });
  return rounds;
}

/** The rows of the jobs that are compared with the first one, and whether their windows were those of the input. */
export function ratioTargets(rounds: readonly Round[]): Target[] {
  const ratio = (job: "packed" | "all"): Ratio =>
    ratioOf(rounds.map((round) => [round[job].perCpuSecond, round.windows.perCpuSecond]));
  const wrong = rounds.flatMap((round) => Object.values(round)).filter(({ check }) => check !== "exact");
  return [
    target("packed to JSON", ratio("packed").median, "at least", 1.6, times),
    target("everything to windows only", ratio("all").median, "at least", 0.65, times),
    target("runs whose windows are not those of the input", wrong.length, "at most", 0, String),
  ];
}

/** The rows beside Flink. */
export function flinkTargets(found: BesideFlink | undefined): Target[] {
  const [speed, memory] = ["windows only to Flink, per CPU second", "windows only to Flink, memory"];
  if (found === undefined)
    return [notMeasured(speed, "at least 1.80 ×", "no --flink"), notMeasured(memory, "below 0.33 ×", "no --flink")];
  return [
    target(speed, found.perCpuSecond.median, "at least", 1.8, times),
    target(memory, found.memory.median, "below", 1 / 3, times),
  ];
}

function stateTarget({ windows, peakMb }: LargeState): Target {
  return target(`memory of a processor, ${windows} windows kept`, peakMb, "below", 300, megabytes);
}
