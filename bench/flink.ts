import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { topics } from "../domain/topics.ts";
import { withBenchServers } from "./bench-servers.ts";
import { ratioOf, showRatio, type Ratio } from "./distribution.ts";
import { showThroughput, standardLoad } from "./engine-scenarios.ts";
import { putInForce, readThrough, type Throughput } from "./engine.ts";
import { fill, FILL_START, type Load, message, MESSAGE_MS, READINGS_PER_MESSAGE } from "./load.ts";
import { million, type Bench, type Scenario } from "./scenario.ts";
import { DEFAULT_ROUNDS, inTurns } from "./turns.ts";

/** The Flink job expects its broker and its input here. */
const FLINK_KAFKA_PORT = 9092;
const FLINK_INPUT = "imu-anchor";
const HOUR_MS = 3_600_000;
/** Includes the first run's build with Maven. */
const LIMIT_MS = 1_800_000;

export interface FlinkResult {
  /** Readings per second of user and system time. */
  readonly perCpuSecond: number;
  /** Readings per second of wall time. */
  readonly perSecond: number;
  readonly peakMb: number;
}

/** The same messages read by both, one after the other. */
type FlinkPair = readonly [flink: FlinkResult, millrace: Throughput];

export const flink: Scenario = {
  about: "the scenario windows in Apache Flink (--flink) and in Millrace, in turns over the same messages; port 9092",
  run: async (bench) => void (await measureFlink(bench)),
};

/** What a comparison with Flink gave: ratios of Millrace to Flink. */
export interface BesideFlink {
  readonly perCpuSecond: Ratio;
  readonly memory: Ratio;
}

/** Runs both in turns, and reports each pair and the ratios. Undefined, and said so, without `--flink`. */
export async function measureFlink(bench: Bench): Promise<BesideFlink | undefined> {
  const { flink: folder, flinkVariant, rounds = DEFAULT_ROUNDS } = bench.options;
  if (folder === undefined || !existsSync(join(folder, "run"))) {
    bench.report("flink", { skipped: true }, "skipped: --flink DIR must name the folder of the Flink job");
    return undefined;
  }
  const work = bench.path(".millrace", "flink");
  const pairs = await besideFlink(standardLoad(bench), flinkVariant, folder, bench.folder("flink"), work, rounds);
  for (const [index, [other, millrace]] of pairs.entries()) {
    const round = `round ${index + 1}`;
    bench.report(
      `flink ${flinkVariant}, parallelism 1, ${round}`,
      other,
      `${million(other.perCpuSecond)} readings/CPU s   ${million(other.perSecond)}/s   ${other.peakMb} MB`,
    );
    bench.report(`  beside it, windows, ${round}`, millrace, showThroughput(millrace));
  }
  const found = {
    perCpuSecond: ratioOf(pairs.map(([other, millrace]) => [millrace.perCpuSecond, other.perCpuSecond])),
    memory: ratioOf(pairs.map(([other, millrace]) => [millrace.peakMb, other.peakMb])),
  };
  bench.report(
    "  Millrace to Flink",
    found,
    `${showRatio(found.perCpuSecond)} per CPU second, ${showRatio(found.memory)} of its memory`,
  );
  return found;
}

/**
 * Runs the windows-only job over the same messages on the same broker, in Flink and in Millrace, in turns.
 *
 * @param variant Variant of the Flink job: `a` is the usual way to write it, `b` is tuned, `c` is `b` without a
 *   shuffle.
 * @param flink Folder of the Flink job.
 * @throws Error with the job's output when it gave no verified result
 */
export function besideFlink(
  load: Load,
  variant: string,
  flink: string,
  folder: string,
  work: string,
  rounds: number,
): Promise<FlinkPair[]> {
  return withBenchServers(
    { partitions: load.partitions, folder, kafkaPort: FLINK_KAFKA_PORT, inputs: [FLINK_INPUT] },
    async (servers) => {
      const messages = await fill(servers.kafka, load, FLINK_INPUT);
      const producer = servers.kafka.producer();
      await producer.connect();
      // One record per partition, an hour later, ends the job's event time. It does not count.
      const end = FILL_START + (load.messages / load.sensors) * MESSAGE_MS + HOUR_MS;
      await producer.send({
        topic: FLINK_INPUT,
        messages: Array.from({ length: load.partitions }, (_, partition) => ({
          ...message(load, 0, 0, end),
          key: `zz${partition}`,
          partition,
        })),
      });
      await producer.disconnect();
      const set = await putInForce(servers.kafka, { outputs: "windows" });
      await fill(servers.kafka, load, topics.imuData.name);
      const input = { messages, control: set, sensors: load.sensors };
      return await inTurns(
        rounds,
        () => runFlink(flink, variant, messages * READINGS_PER_MESSAGE, work),
        async () => await readThrough(servers.kafka, await servers.again(), input),
      );
    },
  );
}

async function runFlink(folder: string, variant: string, readings: number, work: string): Promise<FlinkResult> {
  const child = spawn(join(folder, "run"), ["flink", variant, "1"], {
    env: { ...process.env, IN: FLINK_INPUT, READINGS: String(readings), WORK: work },
    stdio: ["ignore", "pipe", "inherit"],
    timeout: LIMIT_MS,
  });
  let output = "";
  for await (const chunk of child.stdout) output += String(chunk);
  output = stripVTControlCharacters(output); // a build before the first run may print colours
  const line = /^RESULT (\{.*\})$/m.exec(output);
  if (!line || !/^VERIFY .* OK$/m.test(output))
    throw new Error(`the Flink job gave no verified result. Its output:\n${output}`);
  const { rpsCpu, rpsWall, rssMB } = JSON.parse(line[1]!) as { rpsCpu: number; rpsWall: number; rssMB: number };
  return { perCpuSecond: rpsCpu, perSecond: rpsWall, peakMb: rssMB };
}
